"""The files that `dialer export` writes."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from dialer import exports
from dialer.exports import NotExported, Wanted, _write, since
from dialer.mapping import zone_of

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ROW = [1, None, True, "=1+1", "+4930", NOW, {"a": "ü"}, Decimal("1.5"), 10**17]
NAMES = [f"c{n}" for n in range(len(ROW))]


def test_a_csv_file_has_plain_texts_and_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert _write(Wanted("cases", output=path, bom=True, separator=";"), NAMES, [ROW]) == 1
    assert path.read_bytes().decode() == (
        "\ufeffc0;c1;c2;c3;c4;c5;c6;c7;c8\r\n"
        '1;;true;\'=1+1;+4930;2026-11-29 12:00:00+00:00;"{""a"": ""ü""}";1.5;100000000000000000\r\n'
    )


def test_without_a_file_it_is_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert _write(Wanted("cases"), ["a"], [["ü"], [None]]) == 2
    sys.stdout.flush()
    assert raw.getvalue().decode() == 'a\r\nü\r\n""\r\n'


def test_a_workbook_has_values_of_their_types(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    assert _write(Wanted("cases", output=path), NAMES, [ROW]) == 1
    book = CalamineWorkbook.from_path(str(path))
    assert book.sheet_names == ["cases"]
    header, row = book.get_sheet_by_index(0).to_python()
    assert header == NAMES
    assert row == [1.0, "", True, "=1+1", "+4930", NOW.replace(tzinfo=None), '{"a": "ü"}', 1.5, str(10**17)]


def test_a_sheet_that_is_full_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_LONGEST_SHEET", 3)
    path = tmp_path / "out.xlsx"
    assert _write(Wanted("attempts", output=path), ["n"], [[n] for n in range(5)]) == 5
    book = CalamineWorkbook.from_path(str(path))
    found = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    assert found == {
        "attempts": [["n"], [0.0], [1.0]],
        "attempts 2": [["n"], [2.0], [3.0]],
        "attempts 3": [["n"], [4.0]],
    }


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("before")

    def broken() -> object:
        yield [1]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        _write(Wanted("cases", output=path), ["n"], broken())  # type: ignore[arg-type]
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == [name]
    with pytest.raises(NotExported, match="cannot be written"):
        _write(Wanted("cases", output=tmp_path / "nowhere" / name), ["n"], [[1]])


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_nothing_to_export_is_a_file_with_the_names_of_the_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert _write(Wanted("cases", output=path), ["n"], []) == 0
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("7d", datetime(2026, 11, 22, 12, 0, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 28, 12, 0, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
        ("2026-11-24 09:00", datetime(2026, 11, 24, 6, 0, tzinfo=UTC)),
    ],
)
def test_since_when(text: str, instant: datetime) -> None:
    assert since("--since", text, zone_of("Europe/Moscow"), NOW) == instant


def test_what_is_no_instant_is_told() -> None:
    with pytest.raises(NotExported, match="--since yesterday: write 7d"):
        since("--since", "yesterday", UTC)
