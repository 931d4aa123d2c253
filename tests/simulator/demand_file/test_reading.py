"""Demand files: what is read, and what each bad file is told."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.demand_file import DemandFile, Limits, load_pyarrow, read_demand

pyarrow = load_pyarrow(Path("tests"))

GOOD = "t_s,count\n0,3\n1,0\n2,5\n"


def read(folder: Path, content: str | bytes, *, name: str = "a.csv") -> DemandFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_demand(path)


def refusal(folder: Path, content: str | bytes, *, name: str = "a.csv") -> str:
    """What the file is told, without the folder."""
    with pytest.raises(InputError) as refused:
        read(folder, content, name=name)
    return str(refused.value).replace(f"{folder}/", "")


def test_counts_and_signals_are_read_with_their_bins(tmp_path: Path) -> None:
    file = read(tmp_path, "t_s,count,push_sent\n60,3,0\n120,4,1000\n300,5,0\n", name="feed.csv")
    assert (file.name, file.bin_s, file.seconds) == ("feed", 60, 300)
    assert file.bins.tolist() == [0, 1, 4]
    assert file.counts.tolist() == [3, 4, 5]
    assert file.signals["push_sent"].tolist() == [0, 1000, 0]


SAME = {
    "plain": GOOD,
    "Windows": GOOD.replace("\n", "\r\n"),
    "no last line end": GOOD.rstrip(),
    "blank lines at the end": GOOD + "\n\n",
    "byte order mark": "\ufeff" + GOOD,
    "spaces": GOOD.replace(",", " , "),
    "quotes": 't_s,count\n"0","3"\n"1","0"\n"2","5"\n',
    "quoted header": GOOD.replace("t_s,count", '"t_s","count"'),
    "decimals": "t_s,count\n0.0,3.0\n1.0,0.0\n2.0,5.0\n",
    "columns the other way round": "count,t_s\n3,0\n0,1\n5,2\n",
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME.keys())
def test_the_same_file_in_other_habits(tmp_path: Path, content: str) -> None:
    file = read(tmp_path, content)
    assert (file.bins.tolist(), file.counts.tolist(), file.bin_s) == ([0, 1, 2], [3, 0, 5], 1)


BAD = {
    "nothing": ("", "a.csv:1: the first line is empty; it must name t_s and count"),
    "no count": ("t_s,n\n0,1\n", "a.csv:1: no column 'count'; the columns are 't_s', 'n'"),
    "no header": ("0,1\n1,2\n", "a.csv:1: no column 't_s'; the columns are '0', '1'"),
    "twice the same": ("t_s,count,count\n0,1,1\n", "a.csv:1: two columns are named 'count'"),
    "a nameless column": (
        "t_s,count,\n0,1,1\n",
        "a.csv:1: column 3 has no name; the columns are 't_s', 'count', ''",
    ),
    "too many columns": (
        "t_s,count," + ",".join(f"s{i}" for i in range(31)) + "\n",
        "a.csv:1: 33 columns; at most 32 are read",
    ),
    "no rows": ("t_s,count\n", "a.csv: 0 rows; at least 2 tell the bin's width"),
    "one row": ("t_s,count\n0,1\n", "a.csv: 1 rows; at least 2 tell the bin's width"),
    "a word": (GOOD + "3,many\n", "a.csv:5: count is 'many', not a number"),
    "a hole": (GOOD + "3,\n", "a.csv:5: count is '', not a number"),
    "a time": (
        "t_s,count\n2024-01-01T00:00:00Z,1\n",
        "a.csv:2: t_s is '2024-01-01T00:00:00Z', not a number",
    ),
    "not text": (GOOD.encode() + b"3,\xff\n", "a.csv:5: count is '\\\\xff', not a number"),
    "a long word": (
        GOOD + "3," + "9x" * 40 + "\n",
        "a.csv:5: count is '9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9...', not a number",
    ),
    "a short row": (GOOD + "3\n", "a.csv:5: 1 values where the header names 2"),
    "long rows": ("t_s,count\n0,1,2\n1,1,2\n", "a.csv:2: 3 values where the header names 2"),
    "negative": (GOOD + "3,-4\n", "a.csv:5: count is -4; it must be from 0 to 1000000000000"),
    "after a blank line": (
        "t_s,count\n\n0,1\n1,-1\n",
        "a.csv:4: count is -1; it must be from 0 to 1000000000000",
    ),
    "NaN": (GOOD + "3,NaN\n", "a.csv:5: count is nan; it must be from 0 to 1000000000000"),
    "infinite": (GOOD + "3,inf\n", "a.csv:5: count is inf; it must be from 0 to 1000000000000"),
    "huge": (
        GOOD + "3,2e12\n",
        "a.csv:5: count is 2000000000000; it must be from 0 to 1000000000000",
    ),
    "a negative signal": (
        "t_s,count,push_sent\n0,1,0\n1,1,-7\n",
        "a.csv:3: push_sent is -7; it must be from 0 to 1000000000000",
    ),
    "NaN time": (GOOD + "nan,1\n", "a.csv:5: t_s is nan; it must be from 0 to 100000000000"),
    "milliseconds": (
        "t_s,count\n1700000000000,1\n1700000001000,1\n",
        "a.csv:2: t_s is 1700000000000; it must be from 0 to 100000000000",
    ),
    "half a second": (GOOD + "2.5,1\n", "a.csv:5: t_s is 2.5; it must be whole seconds"),
    "twice the same second": (
        GOOD + "2,1\n",
        "a.csv:5: t_s is 2; it must be later than in the row before it",
    ),
    "backwards": (GOOD + "1,1\n", "a.csv:5: t_s is 1; it must be later than in the row before it"),
    "uneven": (
        "t_s,count\n0,1\n60,1\n120,1\n250,1\n310,1\n",
        (
            "a.csv:5: t_s is 250, 130 s after the row before it; it must be a multiple of the "
            "bin's 60 s, the smallest step in the file"
        ),
    ),
    "weeks": (
        "t_s,count\n0,1\n604800,1\n",
        "a.csv: rows are 604800 s apart; a bin is at most 86400 s",
    ),
    "the first of two faults": (
        "t_s,count\n0,1\n1,-1\n1,1\n",
        "a.csv:3: count is -1; it must be from 0 to 1000000000000",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_told_its_line_value_and_bound(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    assert refusal(tmp_path, content) == message


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_a_zipped_bad_file_is_told_the_same(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    data = content.encode() if isinstance(content, str) else content
    assert refusal(tmp_path, gzip.compress(data), name="a.csv.gz") == message.replace(
        "a.csv", "a.csv.gz"
    )


def test_a_file_that_was_cut_off_is_told_how_far_it_goes(tmp_path: Path) -> None:
    rows = "".join(f"{second},{second % 7}\n" for second in range(100_000))
    whole = gzip.compress(("t_s,count\n" + rows).encode(), mtime=0)
    told = refusal(tmp_path, whole[: len(whole) // 2], name="a.csv.gz")
    place, _, reason = told.partition(": ")
    assert reason == "the gzip data ends here, the file was cut off"
    assert 0 < int(place.removeprefix("a.csv.gz:")) < 100_000


def test_what_is_not_gzip_is_told_so(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, name="a.csv.gz") == (
        "a.csv.gz:1: no gzip data from here on: Not a gzipped file (b't_')"
    )


def test_damage_inside_a_gzip_file_is_told(tmp_path: Path) -> None:
    rows = "".join(f"{second},{second * 7919 % 1000}\n" for second in range(100_000))
    damaged = bytearray(gzip.compress(("t_s,count\n" + rows).encode()))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 64] = bytes(64)
    assert "no gzip data from here on: " in refusal(tmp_path, bytes(damaged), name="a.csv.gz")


@pytest.mark.parametrize("name", ["a.txt", "csv", ".csv", "a.csv.bz2"])
def test_other_names_are_not_guessed_at(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, GOOD, name=name) == (
        f"{name}: a demand file's name ends in .csv, .csv.gz or .parquet"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_a_file_that_is_not_there_or_a_folder_is_told_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        read_demand(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        read_demand(tmp_path / name)


def test_more_than_a_year_of_seconds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(GOOD)
    assert len(read_demand(path, limits=Limits(rows=3)).counts) == 3
    with pytest.raises(InputError, match=r"a.csv:4: the file goes on after 2 rows, the most"):
        read_demand(path, limits=Limits(rows=2, text_bytes=1000))
    with pytest.raises(InputError, match=r"a.csv:5: the text goes on after 9 bytes, the most"):
        read_demand(path, limits=Limits(text_bytes=9))


def parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    content = parquet(t_s=[0, 1, 2], count=[3, 0, 5], push_sent=[0.0, 1.5, 0.0])
    file = read(tmp_path, content, name="feed.parquet")
    assert (file.name, file.bin_s) == ("feed", 1)
    assert file.counts.tolist() == [3, 0, 5]
    assert file.signals["push_sent"].tolist() == [0, 1.5, 0]


BAD_PARQUET: dict[str, tuple[Callable[[], bytes], str]] = {
    "not Parquet": (lambda: b"PAR1", "a.parquet: not read as Parquet: "),
    "no count": (lambda: parquet(t_s=[0]), "a.parquet: no column 'count'; the columns are 't_s'"),
    "words": (
        lambda: parquet(t_s=[0, 1], count=["a", "b"]),
        "a.parquet: column 'count' is string, not numbers",
    ),
    "a null": (
        lambda: parquet(t_s=[0, 1], count=[1, None]),
        "a.parquet: row 2: count is nan; it must be from 0 to 1000000000000",
    ),
    "no rows": (
        lambda: parquet(t_s=pyarrow.array([], "int64"), count=pyarrow.array([], "int64")),
        "a.parquet: 0 rows; at least 2 tell the bin's width",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD_PARQUET.values(), ids=BAD_PARQUET.keys())
def test_bad_parquet_is_told_its_row(
    tmp_path: Path, make: Callable[[], bytes], message: str
) -> None:
    assert refusal(tmp_path, make(), name="a.parquet").startswith(message)


def test_parquet_too_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet(t_s=[0, 1, 2], count=[3, 0, 5]))
    with pytest.raises(InputError, match=r"a.parquet: 3 rows; at most 2 are read"):
        read_demand(path, limits=Limits(rows=2))


def test_without_pyarrow_parquet_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # makes its import fail
    told = refusal(tmp_path, b"PAR1", name="a.parquet")
    assert told.startswith("a.parquet: Parquet needs pyarrow")
    assert told.endswith("pip install 'capacity-pilot[simulation]'")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
@given(st.data())
def test_whatever_the_bytes_the_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    rows = "t_s,count\n" + "".join(f"{10 * row},{row}\n" for row in range(30))
    sound = {
        "a.csv": rows.encode(),
        "a.csv.gz": gzip.compress(rows.encode(), mtime=0),
        "a.parquet": parquet(t_s=range(30), count=range(30)),
    }[name]
    place = data.draw(st.integers(0, len(sound)), label="place")
    put, dropped = data.draw(st.binary(max_size=4)), data.draw(st.integers(0, 8))
    try:
        read(
            tmp_path_factory.mktemp("any"),
            sound[:place] + put + sound[place + dropped :],
            name=name,
        )
    except InputError as refused:
        assert name in str(refused)  # noqa: PT017 (either outcome is right)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=50),
    st.integers(1, 600),
    st.integers(0, 10**9),
    st.data(),
)
def test_what_was_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[int],
    bin_s: int,
    first: int,
    data: st.DataObject,
) -> None:
    bins = np.concatenate(([0], np.cumsum([1, *steps])))  # one step of one bin shows its width
    counts = data.draw(
        st.lists(st.floats(0, 1e12), min_size=len(bins), max_size=len(bins)), label="counts"
    )
    rows = "".join(
        f"{first + number * bin_s},{count!r}\n" for number, count in zip(bins, counts, strict=True)
    )
    file = read(tmp_path_factory.mktemp("written"), "t_s,count\n" + rows)
    assert file.bin_s == bin_s
    assert file.bins.tolist() == bins.tolist()
    assert file.counts.tolist() == counts
