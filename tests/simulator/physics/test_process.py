"""The server as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

MODULE = (sys.executable, "-m", "capacity_pilot.simulator.physics")


@pytest.mark.process
def test_it_tells_its_address_serves_and_ends_on_sigterm() -> None:
    with subprocess.Popen(
        (*MODULE, "--burst-availability", "0.5", "--seed", "7"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{address['url']}/_physics/state") as answer:  # noqa: S310
            assert json.load(answer)["targets"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


@pytest.mark.process
def test_an_option_out_of_bounds_is_named() -> None:
    done = subprocess.run(
        (*MODULE, "--burst-availability", "2"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "burst availability is 2.0; it must be 0 to 1\n"
