"""The daemon: the pilot wired to OTLP, DynamoDB, the clock and the signals."""

from capacity_pilot.daemon.composition import run_daemon

__all__ = ["run_daemon"]
