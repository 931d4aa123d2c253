"""The machine's clock behind the port."""

from __future__ import annotations

import time


class SystemClock:
    """Unix seconds, as spans and DynamoDB use them."""

    def now(self) -> float:
        return time.time()
