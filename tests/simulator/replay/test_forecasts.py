"""What a replay tells of how true the pilot's forecasts were."""

from __future__ import annotations

import pytest

from capacity_pilot.core.forecast.scores import HorizonScore
from tests.simulator.replay.stage import HOUR, MINUTE, Played, noisy, play, with_push, workload


def forecast(played: Played, horizon: str = "apply", workload: str = "feed") -> HorizonScore:
    scores = {score.horizon: score for score in played.passage.forecasts[workload]}
    return scores[horizon]


@pytest.fixture(scope="module")
def calm() -> Played:
    return play(workload(noisy(200, HOUR)))


def test_an_hour_of_noise_is_forecast_as_truly_as_an_hour_can_tell(calm: Played) -> None:
    score = forecast(calm)
    assert 340 < score.windows < 360
    assert score.demand == pytest.approx(200, rel=0.02)
    assert score.exceeded[0.5] == pytest.approx(0.5, abs=0.08)
    assert score.exceeded[0.99] < 0.03
    # Poisson noise of 10 s at 200 a second is 2.2 % of it; its median's loss is 0.4 of that.
    assert score.pinball[0.5] / score.demand < 0.02
    assert sum(score.led.values()) == pytest.approx(1.0)


def test_the_decisive_horizon_is_what_changes_are_known_to_take(calm: Played) -> None:
    assert forecast(calm, "soon").ahead_s == 10.0
    assert 30.0 < forecast(calm).ahead_s < 90.0
    assert forecast(calm, "later").ahead_s == 300.0


def test_a_push_nobody_could_foresee_is_held_against_the_forecast(calm: Played) -> None:
    pushed = play(workload(with_push(noisy(200, HOUR), at=HOUR // 2, times=5, lasts=600)))
    assert forecast(pushed).exceeded[0.99] > forecast(calm).exceeded[0.99]
    assert forecast(pushed).pinball[0.99] > 2 * forecast(calm).pinball[0.99]


def test_scores_survive_the_daemons_restart(calm: Played) -> None:
    """It forgets what it learned; the replay does not forget how it did."""
    restarted = play(
        workload(noisy(200, HOUR)), faults=[{"kind": "restart", "at": "30m", "lasts": "20s"}]
    )
    lost = forecast(calm).windows - forecast(restarted).windows
    assert 0 < lost < 3 * MINUTE / 10
    assert forecast(restarted).demand == pytest.approx(200, rel=0.02)


def test_a_table_nobody_called_has_no_scores() -> None:
    idle = play(workload(noisy(0, 10 * MINUTE)), workload(noisy(50, 10 * MINUTE), "busy"))
    assert idle.passage.forecasts["feed"] == ()
    assert forecast(idle, workload="busy").windows > 0
