from __future__ import annotations

import subprocess
import sys

import pytest

from capacity_pilot.demo.processes import ChildError, Line, await_line, start_child

pytestmark = pytest.mark.process

_DIES = "print('{\"url\": 1}'); import sys; sys.stderr.write('disk full\\n'); sys.exit(3)"
_WAITS = "import time; print('{\"url\": 2}', flush=True); time.sleep(60)"
_ECHOES = "print('{\"url\": %s}' % input(), flush=True)"


def _has_url(line: Line) -> bool:
    return "url" in line


async def test_a_process_that_dies_is_told_with_its_last_lines() -> None:
    async with start_child("the server", ["-c", _DIES]) as child:
        with pytest.raises(ChildError, match=r"(?s)the server ended with status 3.*disk full"):
            await child.watching


async def test_one_that_ends_before_it_is_ready_is_told_at_once() -> None:
    async with start_child("the server", ["-c", "print('hello')"]) as child:
        with pytest.raises(ChildError, match=r"(?s)ended before it was ready.*hello"):
            await await_line(child, _has_url, timeout_s=30)


async def test_one_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async with start_child("the server", ["-c", _WAITS]) as child:
        with pytest.raises(ChildError, match=r"was not ready within 0\.01 s"):
            await await_line(child, lambda line: "port" in line, timeout_s=0.01)


async def test_leaving_ends_the_process_and_is_no_error() -> None:
    async with start_child("the server", ["-c", _WAITS]) as child:
        line = await await_line(child, _has_url, timeout_s=30)
    assert line == {"url": 2}
    assert child.watching.done()
    assert child.watching.exception() is None


async def test_a_child_hears_what_it_is_told() -> None:
    async with start_child("the server", ["-c", _ECHOES]) as child:
        child.say("7")
        assert await await_line(child, _has_url, timeout_s=30) == {"url": 7}


_WITHOUT_EXTRA = """
import sys
for name in ("rich", "opentelemetry", "boto3"):
    sys.modules[name] = None  # importing it raises ImportError
from capacity_pilot.cli import main
sys.argv = ["capacity-pilot", *{arguments}]
main()
"""


def _run_without_extra(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = _WITHOUT_EXTRA.format(arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_the_demo_extra_the_demo_says_what_to_install() -> None:
    ended = _run_without_extra("demo")
    assert ended.returncode == 1
    assert "pip install 'capacity-pilot[demo]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_the_demo_extra_the_daemon_still_runs() -> None:
    ended = _run_without_extra("run", "--help")
    assert ended.returncode == 0
    assert "--policy" in ended.stdout
