"""What capacity costs: AWS's public prices in us-east-1, Standard table class, in US dollars.

As of November 2026: provisioned prices from AWS's price list (as kept in public fixtures of it),
on-demand prices those in force since November 2024 (on-demand was halved then).
"""

from __future__ import annotations

from typing import Final

from capacity_pilot.core.model import Dimension

USD_PER_UNIT_HOUR: Final = {Dimension.WRITE: 0.00065, Dimension.READ: 0.00013}
USD_PER_MILLION_REQUEST_UNITS: Final = {Dimension.WRITE: 0.625, Dimension.READ: 0.125}
