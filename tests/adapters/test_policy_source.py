"""Policy files, good and bad: an error names the file, the line, the value and the bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from capacity_pilot.adapters.policy_source import MAX_BYTES, load_policies, parse_policies
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.model import Resource
from capacity_pilot.core.policy import Bounds, ScaleIn

STARTER = Path(__file__).parents[2] / "policies" / "starter.yaml"

GOOD = """\
version: 1
policies:
  - name: feed
    match:
      tables: ["prod-feed-*"]
    read: {min: 100, max: 30000}
    write: {min: 50, max: 12000}
    indexes:
      by-author:
        write: {min: 60, max: 70}
    risk: 25ppm
    burst_reliance: 0.4
    scale_in:
      stabilization: 1.5m
      reserve_decreases: 2
"""


def test_a_good_file_means_what_it_says() -> None:
    (policy,) = parse_policies(GOOD, source="p.yaml").policies
    assert policy.match.tables == ["prod-feed-*"]
    assert policy.read == Bounds(min=100, max=30000)
    assert (policy.risk, policy.burst_reliance) == (25.0, 0.4)
    assert policy.scale_in == ScaleIn(stabilization=90.0, reserve_decreases=2)
    by_author = policy.bounds(Resource("prod-feed-1", "by-author"))
    assert (by_author.read, by_author.write) == (policy.read, Bounds(min=60, max=70))


def test_the_first_policy_that_fits_a_table_is_its_own() -> None:
    later = "  - {name: rest, match: {tables: ['*']}, read: {min: 1, max: 2}}\n"
    policies = parse_policies(GOOD + later, source="p.yaml")
    named = {t: policies.policy_for(t) for t in ("prod-feed-1", "prod-Feed-1")}
    assert {t: p and p.name for t, p in named.items()} == {
        "prod-feed-1": "feed",
        "prod-Feed-1": "rest",
    }


def test_the_example_that_operators_copy_is_good() -> None:
    assert load_policies(STARTER).policy_for("prod-feed-de") is not None


def test_every_mistake_is_told_at_once() -> None:
    """Keys, values, keys that stand there twice and times, in the order of their places."""
    text = GOOD.replace("min: 50", "mn: 50").replace("0.4", "7").replace("25ppm", "1000000ppm")
    text += "    risk: 10ppm\n    events: [{name: push, cron: 0 8 * *}]\n"
    with pytest.raises(PolicyError) as raised:
        parse_policies(text, source="p.yaml")
    assert str(raised.value).splitlines() == [
        "p.yaml:7:13: policies.0.write.mn: no such key; did you mean 'min'?",
        "p.yaml:11:11: policies.0.risk: has to be at most 100000ppm (got '1000000ppm')",
        "p.yaml:12:21: policies.0.burst_reliance: has to be at most 1 (got 7)",
        "p.yaml:16:5: policies.0.risk: the key stands here twice, first in line 11",
        (
            "p.yaml:17:33: policies.0.events.0.cron: not five fields: minute, hour, day of month, "
            "month, day of week (got '0 8 * *')"
        ),
    ]


def test_the_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("0.4", "7"))
    (tmp_path / "b.yaml").write_text("version: 2\npolicies: []\n")
    with pytest.raises(PolicyError) as raised:
        load_policies(tmp_path)
    places = [line.removeprefix(str(tmp_path)) for line in str(raised.value).splitlines()]
    assert places == [
        "/a.yaml:12:21: policies.0.burst_reliance: has to be at most 1 (got 7)",
        "/b.yaml:1:10: version: has to be 1 (got 2)",
        "/b.yaml:2:11: policies: has too few of them: there have to be at least 1",
    ]


def test_what_is_written_once_may_hold_in_several_places() -> None:
    """YAML's own anchors and merges; a key of one's own wins."""
    text = """\
version: 1
policies:
  - &usual {name: a, match: {tables: [a]}, write: &bounds {min: 5, max: 100}, risk: 20ppm}
  - {<<: *usual, name: b, match: {tables: [b]}, write: {<<: *bounds, max: 50}}
"""
    first, second = parse_policies(text, source="p.yaml").policies
    assert (first.name, first.write, first.risk) == ("a", Bounds(min=5, max=100), 20.0)
    assert (second.name, second.write, second.risk) == ("b", Bounds(min=5, max=50), 20.0)


def test_a_mistake_in_what_is_merged_is_told_where_it_is_written() -> None:
    text = GOOD.replace("{min: 100, max: 30000}", "&b {min: 0, max: 9}")
    with pytest.raises(PolicyError) as raised:
        parse_policies(text.replace("{min: 50, max: 12000}", "*b"), source="p.yaml")
    assert str(raised.value).splitlines() == [
        "p.yaml:6:20: policies.0.read.min: has to be at least 1 (got 0)",
        "p.yaml:6:20: policies.0.write.min: has to be at least 1 (got 0)",
    ]


def test_keys_that_look_like_numbers_or_truths_are_words() -> None:
    """An index may be named 2024, and with YAML 1.1 ``no`` was false."""
    text = GOOD.replace("by-author:", "2024:")
    (policy,) = parse_policies(text, source="p.yaml").policies
    assert list(policy.indexes) == ["2024"]


def test_aliases_that_multiply_are_refused_before_they_are_written_out() -> None:
    lines = ["version: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(PolicyError, match="more than 200000 values when its aliases are written"):
        parse_policies("\n".join(lines), source="p.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(PolicyError) as raised:
        load_policies(missing)
    assert str(raised.value) == f"{missing}: No such file or directory"


def test_a_folder_is_read_as_one_set_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD.replace("name: feed", "name: later"))
    (tmp_path / "a.yml").write_text(GOOD.replace("name: feed", "name: first"))
    (tmp_path / "notes.txt").write_text("not a policy")
    assert [policy.name for policy in load_policies(tmp_path).policies] == ["first", "later"]


def test_a_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text("version: 2\n")
    with pytest.raises(PolicyError, match=r"bad\.yaml:1:10: version:"):
        load_policies(tmp_path)


def test_a_folder_without_policies_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"there is no \.yaml file in this folder"):
        load_policies(tmp_path)


def test_a_file_of_gigantic_size_is_not_read(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(PolicyError) as raised:
        load_policies(big)
    assert str(raised.value) == f"{big}: 1048577 bytes, a policy file has at most 1048576"


def test_bytes_that_are_not_utf_8_are_told_by_place(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(PolicyError, match=r"latin\.yaml: not UTF-8 at byte 9$"):
        load_policies(latin)


def test_a_folders_defaults_are_below_those_of_its_files(tmp_path: Path) -> None:
    """Key by key: what is built in, the folder, the file, the policy, the index."""
    (tmp_path / "defaults.yaml").write_text(
        """\
version: 1
defaults:
  risk: 20ppm
  country: KR
  write: {min: 5, max: 1000}
  scale_in: {stabilization: 10m}
limits: {spend_per_hour: 40}
"""
    )
    (tmp_path / "a.yaml").write_text(
        """\
version: 1
defaults: {risk: 30ppm, write: {max: 2000}}
policies:
  - {name: a, match: {tables: [a]}, scale_in: {reserve_decreases: 2}}
  - name: b
    match: {tables: [b]}
    risk: 40ppm
    read: {min: 1, max: 10}
    write: null
    indexes: {by-*: {read: {max: 5}, write: {min: 7, max: 70}}}
"""
    )
    (tmp_path / "b.yaml").write_text("version: 1\npolicies: [{name: c, match: {tables: [c]}}]\n")
    policies = load_policies(tmp_path)
    first, second, third = policies.policies
    assert first.write == Bounds(min=5, max=2000)
    assert first.scale_in == ScaleIn(stabilization=600.0, reserve_decreases=2)
    assert (first.risk, first.country, first.burst_reliance) == (30.0, "KR", 0.5)
    assert (second.risk, second.read, second.write) == (40.0, Bounds(min=1, max=10), None)
    by_author = second.bounds(Resource("b", "by-author"))
    assert (by_author.read, by_author.write) == (Bounds(min=1, max=5), Bounds(min=7, max=70))
    assert (third.risk, third.write) == (20.0, Bounds(min=5, max=1000))
    assert policies.limits.spend_per_hour == 40


def test_what_is_wrong_with_defaults_is_told_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(
        "version: 1\ndefaults: {risk: 1%, country: Bavaria}\npolicies: []\n"
    )
    (tmp_path / "a.yaml").write_text(GOOD)
    with pytest.raises(PolicyError) as raised:
        load_policies(tmp_path)
    places = [line.removeprefix(str(tmp_path)) for line in str(raised.value).splitlines()]
    assert places == [
        (
            "/defaults.yaml:2:18: defaults.risk: '1%' is not a number of parts per million such as "
            "10ppm"
        ),
        (
            "/defaults.yaml:2:31: defaults.country: no country, or part of one, whose holidays are "
            "known: write KR, or DE-BY (got 'Bavaria')"
        ),
        (
            "/defaults.yaml:3:1: policies: no such key; there are defaults, limits, notifications, "
            "reserved, version"
        ),
    ]


def test_bounds_that_cross_only_with_what_they_inherit_are_told_of_the_policy() -> None:
    text = GOOD.replace("version: 1", "version: 1\ndefaults: {write: {min: 900}}")
    with pytest.raises(PolicyError) as raised:
        parse_policies(text.replace("{min: 50, max: 12000}", "{max: 800}"), source="p.yaml")
    assert str(raised.value).splitlines()[0] == (
        "p.yaml:8:12: policies.0.write: min 900 is above max 800"
    )


def test_defaults_alone_are_no_policies(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text("version: 1\ndefaults: {risk: 20ppm}\n")
    with pytest.raises(PolicyError, match=r"defaults\.yaml: there are no policies beside the def"):
        load_policies(tmp_path)
