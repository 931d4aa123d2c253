"""Real processes for the end-to-end tests, and how they are asked what they know.

Every process writes to a file, whose end is shown when a deadline passes without what was
expected.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

HERE = Path(__file__).parent
TAIL_CHARACTERS = 4000

_T = TypeVar("_T")

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "PYTHONUNBUFFERED": "1",
}

OWN_CODE = {"PYTHONPATH": str(HERE.parents[1])}
"""So that what is started is what is beside the tests, whatever is installed."""


@dataclass
class Process:
    """A process that runs until it is stopped; ``output`` holds both of its streams."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The JSON lines said so far, all or those of one event."""
        found = []
        for line in self.text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                event: dict[str, Any] = json.loads(line)
                if name is None or event.get("event") == name:
                    found.append(event)
        return found

    def tell(self, **order: object) -> None:
        """One JSON line to its standard input."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(order).encode() + b"\n")
        self.popen.stdin.flush()

    @property
    def has_ended(self) -> bool:
        return self.popen.poll() is not None

    def terminate(self, *, within: float) -> int:
        """SIGTERM; the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=within)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(timeout=5)


@dataclass
class Cast:
    """The processes of one test, stopped in reverse order, told of when something is missing."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> Process:
        output = self.folder / f"{name}.log"
        with output.open("wb") as stream:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **(environment or {})},
                cwd=self.folder,
            )
        process = Process(name, popen, output)
        self.processes.append(process)
        self._stack.callback(_end, popen)
        return process

    def until(self, told: Callable[[], _T | None], *, within: float, what: str) -> _T:
        """Polls until ``told`` gives something true; fails with everybody's last words."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if found := told():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {within:g} s: {what}\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of every process's output, for an assertion's message."""
        return "\n".join(
            f"--- {p.name} (exit code {p.popen.poll()}) ---\n{p.text()[-TAIL_CHARACTERS:]}"
            for p in self.processes
        )

    def close(self) -> None:
        self._stack.close()


def _end(popen: subprocess.Popen[bytes]) -> None:
    if popen.stdin is not None:
        popen.stdin.close()
    if popen.poll() is None:
        popen.terminate()
        try:
            popen.wait(timeout=3)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait(timeout=5)


@contextmanager
def assemble(folder: Path) -> Iterator[Cast]:
    cast = Cast(folder)
    try:
        yield cast
    finally:
        cast.close()


def get_json(url: str) -> Any:
    with urlopen(url, timeout=5) as response:  # noqa: S310 (our own servers)
        return json.load(response)


def post_json(url: str, content: object, **headers: str) -> Any:
    request = Request(  # noqa: S310
        url,
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with urlopen(request, timeout=5) as response:  # noqa: S310
        return json.load(response)


@dataclass(frozen=True)
class Physics:
    """DynamoDB's stand-in, as seen from outside."""

    process: Process
    url: str

    def call(self, operation: str, **members: object) -> Any:
        target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        return post_json(self.url, members, **target)

    def create_table(self, name: str, *, read: int, write: int, index: str | None = None) -> None:
        """A table keyed by ``id``, with one index named as its key, projecting all."""
        throughput = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
        names = ["id"] if index is None else ["id", index]
        members: dict[str, object] = {}
        if index is not None:
            members["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index,
                    "KeySchema": [{"AttributeName": index, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": throughput,
                }
            ]
        self.call(
            "CreateTable",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            ProvisionedThroughput=throughput,
            **members,
        )

    def targets(self) -> dict[str, dict[str, Any]]:
        """What is so of each scalable target: ``feed/index/author:write``."""
        state = get_json(f"{self.url}/_physics/state")
        return {t["target"]: t for t in state["targets"]}

    def provisioned(self) -> dict[str, int]:
        return {name: t["provisioned"] for name, t in self.targets().items()}

    def fail(self, operation: str, *, code: str, count: int) -> None:
        fault = {"operation": operation, "code": code, "count": count}
        post_json(f"{self.url}/_physics/faults", fault)

    def hang(self, operation: str, *, seconds: float) -> None:
        fault = {"operation": operation, "manner": "hang", "hang_seconds": seconds}
        post_json(f"{self.url}/_physics/faults", fault)


@dataclass(frozen=True)
class Daemon:
    """The daemon under test."""

    process: Process
    ready: dict[str, Any]

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = get_json(f"{self.ready['health']}/status")
        return status

    def demand(self) -> dict[str, float | None]:
        """Units per second by scalable target, as the last tick believes."""
        return {
            f"{t['table']}{'/index/' + t['index'] if t['index'] else ''}:{t['dimension']}": t[
                "demand"
            ]
            for t in self.status()["targets"]
        }


def start_physics(cast: Cast, *options: str, apply_median: float = 1.5) -> Physics:
    process = cast.start(
        "physics",
        [
            *(sys.executable, "-m", "capacity_pilot.simulator.physics"),
            *("--apply-median", str(apply_median), "--initial-burst-seconds", "0"),
            *options,
        ],
        environment=OWN_CODE,
    )
    said = cast.until(process.events, within=60, what="the physics server's address")
    return Physics(process, said[0]["url"])


COMMAND = str(Path(sys.executable).parent / "capacity-pilot")

POLICY = """
version: 1
policies:
  - name: feeds
    match: {tables: ["feed*"]}
    read: {min: 5, max: 2000}
    write: {min: 5, max: 2000}
    scale_in: {stabilization: %(stabilization)s, reserve_decreases: 0}
"""


def start_daemon(
    cast: Cast,
    physics: Physics,
    *options: str,
    mode: str = "active",
    stabilization: str = "10m",
    name: str = "daemon",
    program: Sequence[str] = (COMMAND,),
) -> Daemon:
    """A daemon that keeps a journal only where ``options`` say so."""
    if not {"--policy", "--policy-text"} & set(options):
        options = (*options, "--policy-text", POLICY % {"stabilization": stabilization})
    process = launch_daemon(cast, physics, *options, mode=mode, name=name, program=program)
    (ready,) = cast.until(lambda: process.events("ready"), within=90, what="the daemon's ready")
    return Daemon(process, ready)


def launch_daemon(
    cast: Cast,
    physics: Physics,
    *options: str,
    mode: str = "active",
    name: str,
    program: Sequence[str] = (COMMAND,),
) -> Process:
    """The same with the policies that ``options`` name; it is not waited for."""
    return cast.start(
        name,
        [
            *(*program, "run", "--mode", mode),
            *("--endpoint-url", physics.url, "--apply-time-s", "2", "--describe-s", "2"),
            *("--grpc-port", "0", "--http-port", "0", "--health-port", "0"),
            *(("--journal", "") if not {"--journal", "--state-table"} & set(options) else ()),
            *options,
        ],
        environment=OWN_CODE,
    )


def start_application(cast: Cast, physics: Physics, exporter: str, *options: str) -> Process:
    """The Python application; ``exporter`` is ``grpc=host:port`` or ``http=url``."""
    script = HERE / "application.py"
    return cast.start("application", [sys.executable, str(script), physics.url, exporter, *options])


def start_node_application(
    cast: Cast, physics: Physics, *, encoding: str, endpoint: str
) -> Process:
    """The same application in Node; ``encoding`` of its OTLP/HTTP is ``proto`` or ``json``."""
    script = HERE / "node" / "application.mjs"
    return cast.start("application", ["node", str(script), physics.url, encoding, endpoint])
