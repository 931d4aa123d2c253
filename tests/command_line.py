"""The command line, run in this process."""

from __future__ import annotations

import sys

import pytest

from capacity_pilot.cli import main


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of ``capacity-pilot`` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["capacity-pilot", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
