"""``capacity-pilot`` on a machine whose clock is set: ``set_clock.py FILE run ...``.

The time of day is ahead by what the file holds at the moment; how fast it goes is not touched.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

SECONDS = struct.Struct("d")


class SetClock:
    """What stands in the file; whoever set it up sets it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ahead_s = 0.0
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(SECONDS.pack(self.ahead_s))


def main() -> None:
    path, *arguments = sys.argv[1:]
    file = Path(path).open("rb")  # noqa: SIM115 - for as long as the process lives
    ahead_s = mmap.mmap(file.fileno(), SECONDS.size, access=mmap.ACCESS_READ)
    time_of_day = time.time
    time.time = lambda: time_of_day() + SECONDS.unpack(ahead_s[: SECONDS.size])[0]
    from capacity_pilot import cli  # noqa: PLC0415 - so that nothing of it has seen the other time

    sys.argv = ["capacity-pilot", *arguments]
    cli.main()


if __name__ == "__main__":
    main()
