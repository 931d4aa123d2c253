"""Policy files, good and bad: an error names the file, the line, the value and the bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capacity_pilot.adapters.policy_source import MAX_BYTES, load_policies, parse_policies
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.model import Resource
from capacity_pilot.core.policy import Bounds, ScaleIn
from tests.adapters.edited_policies import Edit, edit, expect_policies_or_a_policy_error

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


BAD = {
    "min above max": (
        ("{min: 50, max: 12000}", "{min: 50, max: 12}"),
        "p.yaml:7: policies.0.write: min 50 is above max 12",
    ),
    "below the bound": (
        ("{min: 50,", "{min: 0,"),
        "p.yaml:7: policies.0.write.min: Input should be greater than or equal to 1 (got 0)",
    ),
    "no number": (
        ("max: 30000", "max: lots"),
        (
            "p.yaml:6: policies.0.read.max: Input should be a valid integer, unable to parse "
            "string as an integer (got 'lots')"
        ),
    ),
    "misspelt key": (
        ("risk: 25ppm", "rsik: 25ppm"),
        "p.yaml:11: policies.0.rsik: Extra inputs are not permitted (got '25ppm')",
    ),
    "unit left out": (
        ("1.5m", "1.5 minutes"),
        (
            "p.yaml:14: policies.0.scale_in.stabilization: '1.5 minutes' is not a duration such as "
            "90s, 10m or 2h (got '1.5 minutes')"
        ),
    ),
    "too long": (
        ("1.5m", "7h"),
        (
            "p.yaml:14: policies.0.scale_in.stabilization: Input should be less than or equal to "
            "21600 (got '7h')"
        ),
    ),
    "risk without ppm": (
        ("25ppm", "25%"),
        (
            "p.yaml:11: policies.0.risk: '25%' is not a number of parts per million such as 10ppm "
            "(got '25%')"
        ),
    ),
    "no fraction": (
        ("0.4", "40"),
        "p.yaml:12: policies.0.burst_reliance: Input should be less than or equal to 1 (got 40)",
    ),
    "more than AWS allows": (
        ("reserve_decreases: 2", "reserve_decreases: 5"),
        (
            "p.yaml:15: policies.0.scale_in.reserve_decreases: Input should be less than or equal "
            "to 4 (got 5)"
        ),
    ),
    "no tables": (
        ('["prod-feed-*"]', "[]"),
        (
            "p.yaml:5: policies.0.match.tables: List should have at least 1 item after validation, "
            "not 0"
        ),
    ),
    "newer version": (
        ("version: 1", "version: 2"),
        "p.yaml:1: version: Input should be 1 (got 2)",
    ),
    "missing": (
        ("  - name: feed\n    match", "  - match"),
        "p.yaml:3: policies.0.name: Field required",
    ),
    "same key twice": (
        ("risk: 25ppm", "burst_reliance: 0.1"),
        (
            'p.yaml:12:5: found duplicate key "burst_reliance" with value "0.4" (original value: '
            '"0.1")'
        ),
    ),
    "bad indent": (
        ("    risk: 25ppm", "   risk: 25ppm"),
        "p.yaml:11:4: expected <block end>, but found '<block mapping start>'",
    ),
    "unclosed": (
        ("{min: 100, max: 30000}", "{min: 100, max: 30000"),
        "p.yaml:7:10: expected ',' or '}', but got ':'",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_hold_is_told_by_place_value_and_bound(
    change: tuple[str, str], message: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(PolicyError) as raised:
        parse_policies(GOOD.replace(*change, 1), source="p.yaml")
    assert str(raised.value).splitlines()[0] == message


def test_every_mistake_is_told_at_once() -> None:
    text = GOOD.replace("min: 50", "min: 0").replace("0.4", "7").replace("25ppm", "1000000ppm")
    with pytest.raises(PolicyError) as raised:
        parse_policies(text, source="p.yaml")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["7", "11", "12"]


def test_bounds_of_nothing_are_a_mistake() -> None:
    text = "version: 1\npolicies:\n  - {name: a, match: {tables: [a]}}\n"
    with pytest.raises(PolicyError, match=r"gives no bounds: name read, write or indexes"):
        parse_policies(text, source="p.yaml")


@pytest.mark.parametrize("text", ["", "# nothing", "just words", "- 1", "42", "~", "!!set {a, b}"])
def test_what_is_no_mapping_is_no_policy(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^p\.yaml:\d+: policy file: Input should be"):
        parse_policies(text, source="p.yaml")


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
    with pytest.raises(PolicyError, match=r"bad\.yaml:1: version:"):
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


@given(text=st.text(max_size=200))
@example(text="\x00")
@example(text="\ufeff")
@example(text="%YAML 9.9\n---\n")
@example(text="--- 1\n--- 2\n")
@example(text="&a [*a]")
@example(text="*unknown")
@example(text="? {a: 1}\n: 2")
@example(text="!!python/object:os.system {}")
@example(text="!!int x")
@example(text="!!int ''")
@example(text="!!set x")
@example(text="? {a: {b: 1}}\n: 2")
@example(text="{{a: 1}: 2, {a: 1}: 3}")
@example(text="2001-99-99")
@example(text="!!timestamp x")
@example(text="{" * 300)
@example(text="[" * 300)
@example(text="- " * 1200)
def test_any_text_is_policies_or_a_policy_error(text: str) -> None:
    expect_policies_or_a_policy_error(text)


YAML_BITS = [
    *("{", "}", "[", "]", ":", "- ", "&a ", "*a", "<<: ", "|", ">", "? ", "!!int ", "!!set "),
    *("~", "null", ".inf", ".nan", "-1", "0x1F", "1e999", "2001-01-01", '"', "'", "\t", "\n"),
    *("true", "!x ", "%", "@", "`", "#", "---\n", "...\n", "9" * 400),
]


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(GOOD)),
            st.integers(0, 12),
            st.sampled_from(YAML_BITS) | st.text(max_size=4),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_edit_of_a_good_file_is_policies_or_a_policy_error(edits: list[Edit]) -> None:
    expect_policies_or_a_policy_error(edit(GOOD, edits))


def test_an_anchor_used_twice_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("&a version: &a 1\npolicies: []\n")
    with pytest.raises(PolicyError, match="duplicate anchor 'a'"):
        load_policies(file)
