"""A daemon killed whenever it changes what is registered with Application Auto Scaling.

Whoever comes next knows what the operator had, and that is what is there in the end.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.killing import kill_during, never, pass_on
from tests.end_to_end.processes import Cast, Daemon, Physics, launch_daemon
from tests.end_to_end.proxy import Proxy, interpose
from tests.end_to_end.test_floor import POLICY, WRITES, hand_back
from tests.end_to_end.test_process import tell_writes

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

POLICIES = (
    POLICY
    + """
  - name: news
    match: {tables: ["news"]}
    write: {min: 5, max: 2000}
    auto_scaling: suspend
"""
)
MOMENTS = {
    "scale-in is to be suspended": ("news", never),
    "it is suspended, nobody has heard": ("news", pass_on),
    "a minimum is to be raised": ("feed", never),
    "it is raised, nobody has heard": ("feed", pass_on),
    "a minimum is to be given back": ("feed", never),
    "it is given back, nobody has heard": ("feed", pass_on),
}
"""Whose registration is being changed when the daemon is killed, and what becomes of that."""

Registered = dict[str, tuple[int, bool]]


def registered(physics: Physics) -> Registered:
    """Minimum and whether scale-in is suspended, by table."""
    told = physics.call("DescribeScalableTargets", ServiceNamespace="dynamodb")
    return {
        target["ResourceId"].removeprefix("table/"): (
            target["MinCapacity"],
            target["SuspendedState"]["DynamicScalingInSuspended"],
        )
        for target in told["ScalableTargets"]
    }


def held(daemon: Daemon) -> int:
    return sum(r["is_held"] for r in daemon.status()["auto_scaling"]["registered"])


def live_until(moment: str, cast: Cast, physics: Physics, proxy: Proxy) -> None:
    """A daemon that begins, does what it comes to, and is killed in the middle of it."""
    table, act = MOMENTS[moment]
    process = launch_daemon(
        cast,
        physics,
        *("--policy-text", POLICIES, "--auto-scaling-endpoint-url", physics.url),
        *("--journal", str(cast.folder / "pilot.db")),
        name=moment,
    )
    kill_during(
        proxy,
        "RegisterScalableTarget",
        act,
        process,
        concerns=lambda members: members["ResourceId"] == f"table/{table}",
    )
    (ready,) = cast.until(lambda: process.events("ready"), within=90, what=moment)
    if table == "feed":
        daemon = Daemon(process, ready)
        if "given back" in moment:
            cast.until(lambda: held(daemon) == 2, within=60, what=moment)
            process.popen.terminate()
        else:
            tell_writes(daemon, "feed", units=300, seconds=20)
    cast.until(lambda: process.has_ended, within=60, what=moment)


def test_what_the_operator_had_is_given_back_at_whatever_step_the_daemon_is_killed(
    cast: Cast, physics: Physics
) -> None:
    for table in ("feed", "news"):
        physics.create_table(table, read=100, write=100)
        of_table = WRITES | {"ResourceId": f"table/{table}"}
        physics.call("RegisterScalableTarget", **of_table, MinCapacity=20, MaxCapacity=500)
    found = registered(physics)
    after: dict[str, Registered] = {}
    with interpose(physics.url) as proxy:
        for moment in MOMENTS:
            live_until(moment, cast, Physics(physics.process, proxy.url), proxy)
            after[moment] = registered(physics)
    raised = after["it is raised, nobody has heard"]["feed"]
    assert raised[0] >= 300
    assert list(after.values()) == [
        found,
        found | {"news": (20, True)},
        found | {"news": (20, True)},
        {"feed": raised, "news": (20, True)},
        {"feed": raised, "news": after["a minimum is to be given back"]["news"]},
        {"feed": found["feed"], "news": after["it is given back, nobody has heard"]["news"]},
    ]
    given_back = hand_back(cast, physics)
    assert given_back.returncode == 0, given_back.stderr
    assert registered(physics) == found
    assert hand_back(cast, physics).stdout == "nothing was held\n"
