"""Lists in files, whatever wrote them: encoding, separator and cells are found out."""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xlsxwriter import Workbook

from dialer.tables import Shield, TableError, csv_line, opened, written

CITIES = {
    "utf-8": "Köln, Łódź, Москва",
    "utf-8-sig": "Köln, Łódź, Москва",
    "utf-16": "Köln, Łódź, Москва",
    "utf-16-le": "Köln, Łódź, Москва",
    "cp1251": "Москва, Санкт-Петербург, Новосибирск, Екатеринбург, Нижний Новгород",
    "koi8-r": "Москва, Санкт-Петербург, Новосибирск, Екатеринбург, Нижний Новгород",
    "cp1252": "Köln, Düsseldorf, Zürich, Besançon, Orléans, Málaga, Tübingen, Saint-Étienne",
}


def read(path: Path, **told: str) -> list[tuple[int, list[str]]]:
    return [(row.line, row.cells) for row in opened(path, **told).rows()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", CITIES)
def test_encoding_and_separator_are_found(path: Path, encoding: str, separator: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file, delimiter=separator)
        out.writerow(["phone", "city", "note"])
        for n, city in enumerate(CITIES[encoding].split(", ")):
            out.writerow([n, city, f'he said "one, two; three" to {city}'])
    rows = read(path)
    assert rows[0] == (1, ["phone", "city", "note"])
    assert [cells[1] for _, cells in rows[1:]] == CITIES[encoding].split(", ")
    assert {len(cells) for _, cells in rows} == {3}


def test_what_was_found_is_told(path: Path) -> None:
    path.write_bytes("phone;city\n1;Москва, Россия\n".encode("cp1251") * 20)
    assert re.fullmatch(r"CSV, CP1251 \(guessed\), separator semicolon", opened(path).told)
    path.write_text("phone\n1\n")
    assert opened(path).told == "CSV, UTF-8 (found), separator comma"
    path.write_bytes(b"\xef\xbb\xbfphone|a\n1|2\n")
    assert opened(path).told == "CSV, UTF-8 (by its mark), separator bar"


def test_what_was_found_reads_the_file_again(path: Path) -> None:
    path.write_bytes("phone;city\n1;Москва\n".encode("cp1251") * 20)
    first = opened(path)
    again = opened(path, **first.read_as)
    assert list(again.rows()) == list(first.rows())
    assert again.digest == first.digest


def test_what_is_told_wins(path: Path) -> None:
    path.write_bytes("phone;a,b\n1;é\n".encode("cp1252"))
    assert read(path, encoding="cp1252", separator="comma") == [(1, ["phone;a", "b"]), (2, ["1;é"])]
    assert read(path, separator="semicolon")[1] == (2, ["1", "é"])
    with pytest.raises(TableError, match="is not utf-8"):
        read(path, encoding="utf-8")
    with pytest.raises(TableError, match="no encoding 'utf-9'"):
        read(path, encoding="utf-9")
    with pytest.raises(TableError, match="separates no cells"):
        read(path, separator="ab")


def test_lines_are_those_of_the_file(path: Path) -> None:
    path.write_text('phone,note\n\n1,"a\nb\nc"\n2,x\n,\n3,y')
    table = opened(path)
    assert table.lines == 8
    assert [(row.line, row.cells[0]) for row in table.rows()] == [(1, "phone"), (3, "1"), (6, "2"), (8, "3")]


def test_a_very_long_cell_does_not_hide_the_separator(path: Path) -> None:
    path.write_text(f"phone;name;note\n1;Ann;{'x' * 200_000}\n2;Bob;\n")
    assert [cells[:2] for _, cells in read(path)] == [["phone", "name"], ["1", "Ann"], ["2", "Bob"]]


def test_the_way_in_which_excel_tells_the_separator(path: Path) -> None:
    path.write_text("sep=;\nphone;a,b\n1;2\n")
    assert read(path) == [(2, ["phone", "a,b"]), (3, ["1", "2"])]


def test_a_quotation_mark_that_is_not_closed_is_told_with_its_line(path: Path) -> None:
    path.write_text('phone,note\n1,x\n2,"' + "y\n" * 1_000_000)
    with pytest.raises(TableError, match=r"from line 3 on: .*quotation mark"):
        read(path, separator=",")


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(TableError, match="no file"):
        opened(path)
    book = path.with_suffix(".xlsx")
    book.write_text("no workbook")
    with pytest.raises(TableError, match="Save it as CSV"):
        opened(book)


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")), min_size=2, max_size=2),
        max_size=5,
    ),
    st.sampled_from(",;\t|"),
)
def test_what_was_written_as_csv_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], separator: str
) -> None:
    path = tmp_path_factory.mktemp("lists") / "list.csv"
    path.write_text("".join(csv_line(row, separator) for row in rows), encoding="utf-8-sig", newline="")
    found = [[Shield.off(cell) for cell in cells] for _, cells in read(path, separator=separator, encoding="utf-8")]
    assert found == [row for row in rows if any(row)]


@given(st.text())
def test_no_cell_begins_like_a_formula_and_none_is_changed(cell: str) -> None:
    shielded = Shield.on(cell)
    assert Shield.off(shielded) == cell or shielded == cell
    if shielded[:1] in {"=", "@", "\t", "\r"}:
        raise AssertionError(shielded)
    if shielded[:1] in {"+", "-"}:
        assert re.fullmatch(r"[+-]?[0-9][0-9 .:,()h/-]*", shielded)


@pytest.mark.parametrize("cell", ["+49 (30) 123-45", "-5", "+03.00h", "+5:30", "hello", "'quoted'", ""])
def test_numbers_and_offsets_stay_as_they_are(cell: str) -> None:
    assert Shield.on(cell) == cell


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|'/C calc'!A0", "-2+3+cmd", "@SUM(A1)", "'=1", "\t=1"])
def test_formulas_are_put_behind_an_apostrophe(cell: str) -> None:
    assert Shield.on(cell) == "'" + cell
    assert Shield.off("'" + cell) == cell


# --- workbooks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (79991234567.0, "79991234567"),
        (799912345678901.0, "799912345678901"),
        (1.5, "1.5"),
        (True, "true"),
        (datetime(2026, 12, 1, 15, 0), "2026-12-01 15:00:00"),
        (date(2026, 12, 1), "2026-12-01"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=24), "24:00:00"),
        ("+49", "+49"),
        (7, "7"),
    ],
)
def test_cells_of_workbooks_as_texts(value: Any, text: str) -> None:
    assert written(value) == text


def test_a_workbook_is_read_by_its_first_sheet_or_the_one_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    with Workbook(str(path)) as book:
        for name, number in (("spring", 79991234567), ("autumn", 79997654321)):
            sheet = book.add_worksheet(name)
            sheet.write_row(2, 0, ["Phone", "Start"])
            sheet.write_row(4, 0, [number])
            sheet.write_datetime(4, 1, datetime(2026, 12, 1, 9, 0), book.add_format({"num_format": "yyyy-mm-dd hh:mm"}))
    table = opened(path)
    assert table.told == "workbook, sheet 'spring' (others: autumn)"
    assert [(row.line, row.cells) for row in table.rows()] == [
        (3, ["Phone", "Start"]),
        (5, ["79991234567", "2026-12-01 09:00:00"]),
    ]
    other = opened(path, sheet="autumn")
    assert next(row.cells[0] for row in other.rows() if row.line == 5) == "79997654321"
    assert other.digest != table.digest
    with pytest.raises(TableError, match="no sheet 'summer', only spring, autumn"):
        opened(path, sheet="summer")
