"""Every error Capacity Pilot raises on purpose, classed by what the caller does about it.

PilotError
├── InputError        fix the input; retrying the same thing fails again
│   ├── PolicyError       a policy file says something that cannot hold
│   └── TelemetryError    an OTLP request that is not one (answered 400 / INVALID_ARGUMENT)
├── RetryableError    nothing is wrong with the input; try again later
│   ├── OverloadedError   a bounded queue is full (answered 503 / UNAVAILABLE)
│   ├── GatewayError      AWS could not be asked, or did not answer
│   ├── JournalError      the journal could not be written or read
│   ├── SourceError       policies could not be read where they are kept
│   └── LeaseError        another pilot may change capacity by now: nothing is sent or saved
└── InvariantError    a bug of ours; the process ends loudly
"""


class PilotError(Exception):
    """Root of the tree."""


class InputError(PilotError):
    """The caller has to change the input."""


class PolicyError(InputError):
    """A policy that cannot be followed; the message names file, place, value and bound."""


class TelemetryError(InputError):
    """Bytes that are not an OTLP trace request, or exceed a stated size."""


class RetryableError(PilotError):
    """The same call may succeed later."""


class OverloadedError(RetryableError):
    """A bounded queue is full; the sender should back off and send again."""


class GatewayError(RetryableError):
    """AWS could not be reached or answered with a fault of its own."""


class JournalError(RetryableError):
    """The journal could not be written or read; the message says where and why."""


class SourceError(RetryableError):
    """Policies could not be read as a whole where they are kept; the message says where and why."""


class LeaseError(RetryableError):
    """What was asked is the lease's holder to do, and this pilot does not hold it for certain."""


class InvariantError(PilotError):
    """Something that must hold does not."""
