"""What provisioned capacity costs: AWS's public prices in us-east-1, Standard table class, in US
dollars, as of November 2026 (AWS's price list).
"""

from __future__ import annotations

from typing import Final

from capacity_pilot.core.model import Dimension

USD_PER_UNIT_HOUR: Final = {Dimension.WRITE: 0.00065, Dimension.READ: 0.00013}
