from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.demo.recording import read_event, read_state, read_status
from capacity_pilot.demo.tables import FEED
from tests.demo.recorded import START_AT, actuation, export, make_recording, pilot_line, tally

INDEX_READ = ScalableTarget(Resource("feed", "by-school"), Dimension.READ)
TABLE_WRITE = ScalableTarget(Resource("feed"), Dimension.WRITE)


def _entry(**changed: object) -> dict[str, object]:
    return {
        "table": "feed",
        "index": "by-school",
        "dimension": "read",
        "provisioned": 68,
        "requested": None,
        "consumed": {"units": 400.0, "requests": 80.0},
        "throttled": {"units": 50.0, "requests": 10.0},
        "cloudwatch": None,
        **changed,
    }


def test_demand_is_what_was_served_and_what_was_refused() -> None:
    truth = read_state({"now": 7.0, "targets": [_entry()]}).targets[INDEX_READ]
    assert (truth.attempted, truth.throttled, truth.refusals) == (450.0, 50.0, 10.0)
    assert truth.requested is None
    assert truth.cloudwatch is None


def test_a_table_has_no_index_and_cloudwatchs_sum_is_of_a_minute() -> None:
    minute = {"minute_starts_at": 60.0, "consumed_sum": 2_400.0}
    pending = {"units": 400, "applies_at": 9.0}
    entry = _entry(index=None, dimension="write", requested=pending, cloudwatch=minute)
    truth = read_state({"now": 7.0, "targets": [entry]}).targets[TABLE_WRITE]
    assert (truth.requested, truth.cloudwatch, truth.cloudwatch_from) == (400, 40.0, 60.0)


def test_the_daemon_may_not_know_demand_yet() -> None:
    entry = {"table": "feed", "index": None, "dimension": "write"}
    unknown = {"demand": None, "seconds_to_throttle": None}
    gauge = read_status({"now": 1.0, "targets": [entry | unknown]}).targets[TABLE_WRITE]
    assert gauge.demand is None


def test_lines_that_are_no_events_are_passed_over() -> None:
    assert read_event({"event": "ready"}) is None
    assert read_event({"at": "2026-01-01T00:00:00Z"}) is None
    event = read_event(pilot_line(2.5, "decision"))
    assert event is not None
    assert (event.at, event.name) == (START_AT + 2.5, "decision")


def test_the_surge_begins_with_the_first_batch_from_after_the_push_that_was_taken() -> None:
    recording = make_recording()  # the push is at 10 s
    recording.hear_feed(FEED, export(sent_s=10.2, newest_end_s=9.9))
    assert recording.feeds[FEED].surge_sent_at is None
    recording.hear_feed(FEED, export(sent_s=10.7, newest_end_s=10.6, was_taken=False))
    recording.hear_feed(FEED, export(sent_s=11.2, newest_end_s=11.1))
    recording.hear_feed(FEED, export(sent_s=11.7, newest_end_s=11.6))
    report = recording.feeds[FEED]
    assert report.surge_sent_at == START_AT + 11.2
    assert (report.spans, report.lost_spans) == (30, 10)


def test_a_feed_is_finished_when_it_says_so() -> None:
    recording = make_recording()
    recording.hear_feed(FEED, tally(requests=30, throttled=1))
    assert not recording.feeds[FEED].is_finished
    recording.hear_feed(FEED, tally(requests=60, throttled=4, event="finished"))
    report = recording.feeds[FEED]
    assert (report.requests, report.throttled, report.is_finished) == (60, 4, True)


def test_only_a_call_that_was_taken_after_the_push_answers_it() -> None:
    recording = make_recording()
    for line in (actuation(5.0), actuation(11.0, outcome="busy"), actuation(12.5)):
        recording.hear_pilot(line)
    assert recording.first_update_at() == START_AT + 12.5
