"""A minute of made-up time before the first real tick, so that all of a tick is compiled by then.

Where no machine code is kept yet, compiling takes longer than many ticks. An image is built with a
rehearsal too, and keeps what that compiled.
"""

from __future__ import annotations

from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Sample,
    SampleKey,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet

_TABLE = Resource("rehearsal")
_BOUNDS = {"min": 1, "max": 1000}
_POLICIES = PolicySet.model_validate(
    {
        "version": 1,
        "policies": [
            {
                "name": "all",
                "match": {"tables": ["*"]},
                "read": _BOUNDS,
                "write": _BOUNDS,
                "upstream": [{"signal": "push", "gain": {"write": 1.0}, "lag": "20s"}],
            }
        ],
    }
)
_SECONDS = 60
_USUAL_LAG_S, _LATE_S = 6, 20


def rehearse() -> None:
    """Ticks through steady demand, a silence, a surge with throttles and a hinted signal that moves
    with it, and spans that come late; then looks at what was learned of signals.
    """
    pilot = Pilot(_POLICIES, limits=AccountLimits(), apply_time_s=30.0, now=0.0)
    resource = ResourceDescription(resource=_TABLE, status=ResourceStatus.ACTIVE, read=10, write=10)
    pilot.observe(
        TableDescription(
            table=_TABLE.table,
            billing_mode=BillingMode.PROVISIONED,
            resources=(resource,),
            described_at=0.0,
        )
    )
    for now in range(_USUAL_LAG_S, _SECONDS):
        told: dict[SampleKey, Sample] = {}
        if not 20 < now < 30:
            is_surge = now > 40
            seen = Sample(units=50.0 if is_surge else 5.0, refusals=float(is_surge))
            told[(_TABLE.table, "", Dimension.WRITE, now - _USUAL_LAG_S)] = seen
        if now > _LATE_S:
            for dimension in Dimension:  # of reads nothing was told before, of writes most was
                told[(_TABLE.table, "", dimension, now - _LATE_S)] = Sample(units=3.0)
        sent = {("", "push", now - _USUAL_LAG_S): 100.0 if now > 40 else 0.0}
        pilot.step(told, float(now), signals=sent)
    _ = pilot.leads
