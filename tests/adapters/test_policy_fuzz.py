"""Whatever is written, the loader has policies or a ``PolicyError``, and nothing in between."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.adapters.edited_policies import Edit, edit, expect_policies_or_a_policy_error

EXAMPLES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
GOOD = [file.read_text() for file in EXAMPLES]


@given(text=st.text(max_size=200))
@example(text="\x00")
@example(text="\ufeff")
@example(text="%YAML 9.9\n---\n")
@example(text="--- 1\n--- 2\n")
@example(text="&a [*a]")
@example(text="&a {<<: *a}")
@example(text="&a {b: {<<: *a}}")
@example(text="*unknown")
@example(text="? {a: 1}\n: 2")
@example(text="!!python/object:os.system {}")
@example(text="!!int x")
@example(text="!!int ''")
@example(text="!!int [1]")
@example(text="!!float {}")
@example(text="!!set x")
@example(text="!!set {a, b}")
@example(text="! a")
@example(text="? {a: {b: 1}}\n: 2")
@example(text="{{a: 1}: 2, {a: 1}: 3}")
@example(text="2001-99-99")
@example(text="!!timestamp x")
@example(text="{" * 300)
@example(text="[" * 300)
@example(text="- " * 1200)
@example(text="version: 0b\npolicies: _")
@example(text="version: 1\npolicies: {0: {}}")
def test_any_text_is_policies_or_a_policy_error(text: str) -> None:
    expect_policies_or_a_policy_error(text)


YAML_BITS = [
    *("{", "}", "[", "]", ":", "- ", "&a ", "*a", "<<: ", "<<: *a", "|", ">", "? ", "!!int "),
    *("~", "null", ".inf", ".nan", "-1", "0x1F", "1e999", "2001-01-01", '"', "'", "\t", "\n"),
    *("true", "!x ", "!!set ", "%", "@", "`", "#", "---\n", "...\n", "9" * 400, "9" * 5000),
]
GOOD_TEXTS = st.sampled_from(GOOD)


@given(
    text=GOOD_TEXTS,
    edits=st.lists(
        st.tuples(
            st.integers(0, max(map(len, GOOD))),
            st.integers(0, 12),
            st.sampled_from(YAML_BITS) | st.text(max_size=4),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_edit_of_an_example_is_policies_or_a_policy_error(text: str, edits: list[Edit]) -> None:
    expect_policies_or_a_policy_error(edit(text, edits))


@given(text=GOOD_TEXTS, data=st.data())
def test_lines_that_move_or_repeat_are_policies_or_a_policy_error(
    text: str, data: st.DataObject
) -> None:
    """As they do when somebody edits in a hurry: doubled, lost, out of order, indented anew."""
    lines = text.splitlines(keepends=True)
    at, to = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    taken = lines[at : at + data.draw(st.integers(0, 5))]
    if data.draw(st.booleans()):
        del lines[at : at + len(taken)]
    shift = " " * data.draw(st.integers(0, 6))
    lines[to:to] = [shift + line.lstrip() if shift else line for line in taken]
    expect_policies_or_a_policy_error("".join(lines))


@given(
    text=GOOD_TEXTS,
    value=st.sampled_from(YAML_BITS) | st.text(max_size=8),
    data=st.data(),
)
def test_any_other_value_is_policies_or_a_policy_error(
    text: str, value: str, data: st.DataObject
) -> None:
    lines = text.splitlines()
    written = [n for n, line in enumerate(lines) if ": " in line]
    number = data.draw(st.sampled_from(written))
    lines[number] = f"{lines[number].split(': ', 1)[0]}: {value}"
    expect_policies_or_a_policy_error("\n".join(lines))
