"""OTLP trace requests in, demand samples out.

Servers hand bodies to a ``Receiver``; its ``Decoder`` makes a ``Harvest`` of each and its
``Intake`` keeps them until the tick drains it.
"""

from capacity_pilot.adapters.otlp.decode import Bounds, Decoder
from capacity_pilot.adapters.otlp.endpoint import Endpoint
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.grpc_server import serve_grpc
from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver, Refusals

__all__ = [
    "Bounds",
    "Counts",
    "Decoder",
    "Endpoint",
    "Estimator",
    "Harvest",
    "Intake",
    "Receiver",
    "Refusals",
    "serve_grpc",
    "serve_http",
]
