"""What the columns of a list mean, and how its cells are cleaned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.mapping import PHONES, clean_number, columns, instant, looks_like_data, zone_of
from dialer.tables import Row, TableError


def values(
    header: list[str], *rows: list[str], told: dict[str, str] | None = None, constants: dict[str, str] | None = None
) -> list[dict[str, str | None]]:
    """The rows as the database gets them."""
    found = columns(header, told, constants)
    return [
        dict(zip(found.targets, line.values, strict=True))
        for line in found.lines(Row(n, row) for n, row in enumerate(rows, 2))
    ]


@pytest.mark.parametrize(
    "name", ["phone", "Phone", "phone_number", "Phone number", "PHONE-NUMBER", "telephone", "tel.", "number", "msisdn"]
)
def test_a_telephone_number_is_known_by_its_name(name: str) -> None:
    if name == "tel.":
        with pytest.raises(TableError, match=r"None of the columns tel\. .*--map COLUMN=phone_number"):
            columns([name])
    else:
        assert columns([name]).targets == ("phone_number",)


def test_what_no_column_of_a_case_is_called_like_goes_into_fields() -> None:
    (row,) = values(
        ["Name", "Phone", "Colour", "Zürich", "empty", "timezone"], ["Ann", "1", "2", 'say "ü"\n', " ", "+1"]
    )
    assert {name: value for name, value in row.items() if name != "fields"} == {
        "case_name": "Ann",
        "phone_number": "1",
        "utc": "+1",
    }
    assert json.loads(row["fields"] or "") == {"Colour": "2", "Zürich": 'say "ü"'}


TO_NINE = ";".join(f"phone_{n}" for n in range(2, 10))


@pytest.mark.parametrize(
    ("header", "told", "order", "left"),
    [
        ("mobile", {}, "mobile", ""),
        ("Mobile;Phone", {}, "Phone;Mobile", ""),
        ("phone_2;mobile;phone", {}, "phone;mobile;phone_2", ""),
        ("Phone 1;Phone 2;Phone 3", {}, "Phone 1;Phone 2;Phone 3", ""),
        ("phone_number_3;phone_number_2;phone_number", {}, "phone_number;phone_number_2;phone_number_3", ""),
        ("tel;Phone;phone", {}, "Phone;phone;tel", ""),
        ("tel2;tel", {}, "tel;tel2", ""),
        ("phone 2", {}, "phone 2", ""),
        # It may be anything's.
        ("phone;number", {}, "phone", "number"),
        ("number;mobile;number 2", {}, "number;mobile", "number 2"),
        ("number;Handy", {"Handy": "phone_number"}, "Handy", "number"),
        ("phone;Handy;phone_2", {"Handy": "phone_number_2"}, "phone;Handy;phone_2", ""),
        ("phone;Handy;mobile", {"Handy": "phone_number"}, "Handy;phone;mobile", ""),
        ("phone;Handy;mobile", {"Handy": "phone_number_9", "mobile": "fields"}, "phone;Handy", "mobile"),
        (f"phone;{TO_NINE};phone_10", {}, f"phone;{TO_NINE}", "phone_10"),
        (f"phone;mobile;{TO_NINE}", {}, f"phone;mobile;{TO_NINE.removesuffix(';phone_9')}", "phone_9"),
    ],
)
def test_columns_with_numbers_stand_in_the_order_of_dialling(
    header: str, told: dict[str, str], order: str, left: str
) -> None:
    found = columns(header.split(";"), told)
    places = [found.by_target[target] for target in PHONES if target in found.by_target]
    assert ";".join(found.header[place] for place in places) == order
    assert ";".join(found.extra.values()) == left
    assert found.targets == ("phone_number", *(["fields"] if left else []))


def test_what_is_mapped_to_a_further_number_needs_a_first_one() -> None:
    assert columns(["Phone", "Handy"], {"Handy": "phone_number_2"}).told() == (
        "Phone → phone_number; Handy → phone_number_2"
    )
    with pytest.raises(TableError, match="--map COLUMN=phone_number"):
        columns(["Handy"], {"Handy": "phone_number_2"})
    for told in ({"B": "phone_number_10"}, {"B": "phone_number_1"}):
        with pytest.raises(TableError, match="phone_number_2 to phone_number_9 for further numbers"):
            columns(["phone", "B"], told)
    with pytest.raises(TableError, match="another column is that already"):
        columns(["phone", "A", "B"], {"A": "phone_number_2", "B": "phone_number_2"})
    with pytest.raises(TableError, match="--set phone_number_2"):
        columns(["phone"], constants={"phone_number_2": "1"})


@pytest.mark.parametrize(
    ("cells", "numbers", "cleaned"),
    [
        (["1", "2", "3"], ["1", "2", "3"], 0),
        (["1", "", "3"], ["1", "3"], 0),
        (["", " ", "3"], ["3"], 0),
        (["", "2", "3"], ["2", "3"], 0),
        (["1"], ["1"], 0),
        (["+49 (0)30-1", "'+49301", "0302.0"], ["+49301", "0302"], 2),
        (["1", "2", "1"], ["1", "2"], 0),
        (["-", "n/a", "-"], ["na"], 3),
        (["x", "2", ""], ["x", "2"], 0),
        (["", "", ""], [None], 0),
    ],
)
def test_the_numbers_of_a_line_are_those_that_are_there_each_once(
    cells: list[str], numbers: list[str | None], cleaned: int
) -> None:
    found = columns(["phone", "mobile", "phone_2"])
    (line,) = found.lines([Row(2, cells)])
    assert [*line.values, *line.further] == numbers
    assert found.cleaned == cleaned
    assert line.cells == cells


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("+49 (0221) 300002", "+49221300002"),
        ("+49 0221/300002", "+49221300002"),
        ("+49 (0)221-300002", "+49221300002"),
        ("+44 020 7946 0000", "+442079460000"),
        ("+20 02 1234567", "+2021234567"),
        ("+20 2 1234567", "+2021234567"),
        ("+39 06 1234567", "+39061234567"),
        ("+390612", "+390612"),
        ("+4", "+4"),
        ("+490", "+49"),
        ("+1 202 555 0100", "+12025550100"),
        ("0221 300002", "0221300002"),
    ],
)
def test_a_zero_that_is_dialled_inside_the_country_alone_is_left_out(cell: str, number: str) -> None:
    found = columns(["phone"], zero_codes={"49", "44", "20"})
    (line,) = found.lines([Row(2, [cell])])
    assert line.values == (number,)


@pytest.mark.parametrize("cell", ['{"a": NaN}', '{"a": 1e400}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', "[1]", "{"])
def test_fields_that_no_database_would_take_are_refused_before_it_is_asked(cell: str) -> None:
    found = columns(["phone", "fields"])
    (line,) = found.lines([Row(2, ["1", cell])])
    assert line.fault is not None
    assert line.fault.startswith(f"dialer_clients.fields is '{cell}': ")


def test_a_row_without_anything_else_has_no_fields() -> None:
    assert values(["phone", "city"], ["1", ""]) == [{"phone_number": "1", "fields": None}]


def test_columns_are_mapped_and_left_out_as_told() -> None:
    header = ["phone", "A", "B", "name"]
    (row,) = values(header, ["x", "1", "b", "Ann"], told={"A": "phone_number", "phone": "-", "name": "fields"})
    assert row == {"phone_number": "1", "fields": '{"B": "b", "name": "Ann"}'}
    assert columns(header, {"A": "phone_number", "phone": "-"}).told() == (
        "A → phone_number; name → case_name; B → fields; left out: phone"
    )
    for told, said in (
        ({"C": "phone_number"}, "no such column, only phone, A, B, name"),
        ({"A": "used"}, "write one of phone_number, case_name"),
        ({"A": "utc", "B": "utc"}, "another column is that already"),
    ):
        with pytest.raises(TableError, match=said):
            columns(header, told)


def test_constants_stand_where_a_line_says_nothing() -> None:
    rows = values(["phone", "prio"], ["1", "3"], ["2", ""], constants={"priority": "2", "region": "DE"})
    assert [(row["priority"], row["region"]) for row in rows] == [("3", "DE"), ("2", "DE")]
    with pytest.raises(TableError, match="--set colour"):
        columns(["phone"], constants={"colour": "red"})


def test_fields_may_be_given_as_json_and_are_joined_by_the_rest() -> None:
    (row,) = values(["phone", "fields", "city"], ["1", '{"a": 1, "b": ["ü"]}', "Köln"])
    assert json.loads(row["fields"] or "") == {"a": 1, "b": ["ü"], "city": "Köln"}
    for wrong in ("[1]", "{", "1"):
        (line,) = columns(["phone", "fields"]).lines([Row(2, ["1", wrong])])
        assert line.fault is not None
        assert line.fault.startswith(f"dialer_clients.fields is '{wrong}'")


def test_names_of_columns_are_made_unique_and_empty_ones_are_numbered() -> None:
    assert columns(["phone", "a", "a", "", "a", " ", ""]).header == ["phone", "a", "a 2", "column 4", "a 3"]


def test_a_line_with_more_cells_than_the_header_is_told_and_one_with_fewer_is_filled() -> None:
    found = columns(["phone", "name"])
    long, padded, short = found.lines([Row(2, ["1", "a", "b"]), Row(3, ["1", "a", ""]), Row(4, ["1"])])
    assert long.fault is not None
    assert "3 cells and the header 2" in long.fault
    assert (padded.fault, padded.values) == (None, ("1", "a"))
    assert (short.fault, short.values) == (None, ("1", None))
    (nul,) = found.lines([Row(2, ["1", "a\0"])])
    assert nul.fault is not None
    assert nul.values == ()


def test_columns_of_the_dialer_s_own_files_are_left_out() -> None:
    exported = columns(["id", "project_id", "phone_number", "used", "number", "city"])
    assert (exported.targets, list(exported.extra.values())) == (("phone_number", "fields"), ["city"])
    refused = columns(["refused_line", "refused_reason", "phone"])
    assert refused.targets == ("phone_number",)
    theirs = columns(["id", "phone"])
    assert list(theirs.extra.values()) == ["id"]


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("+49301234", "+49301234"),
        ("+49 (0)30 / 12-34", "+49301234"),
        ("(030) 12.34", "0301234"),
        ("8 (999) 123-45-67", "89991234567"),
        ("79991234567.0", "79991234567"),
        ("79991234567.00", "79991234567"),
        ('="0301234"', "0301234"),
        ("tel:+4930", "+4930"),
        ("\u202a+4930\u202c", "+4930"),
        ("+49\xa030\u201112", "+493012"),
        ("*100#", "*100#"),
        ("7.99912E+10", "799912E+10"),
        ("12a", "12a"),
        ("030 or 040", "030or040"),
    ],
)
def test_numbers_are_cleaned_of_what_stands_between_their_digits(written: str, cleaned: str) -> None:
    assert clean_number(written) == cleaned


@given(st.text())
def test_cleaning_invents_no_digit_and_happens_once(written: str) -> None:
    cleaned = clean_number(written)
    digits = [one for one in cleaned if one.isdigit()]
    rest = iter(written)
    assert all(one in rest for one in digits)
    assert (
        clean_number(cleaned) == cleaned or not cleaned.isascii() or "." in written or "=" in written or ":" in written
    )


def test_how_many_numbers_were_cleaned_is_counted() -> None:
    found = columns(["phone"])
    assert len(list(found.lines(Row(n, [cell]) for n, cell in enumerate(["1", "1 2", "", "(3)"])))) == 4
    assert found.cleaned == 2


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-01 15:00", "2026-12-01 12:00:00"),
        ("2026-12-01T15:00:30", "2026-12-01 12:00:30"),
        ("2026-12-01 9:05", "2026-12-01 06:05:00"),
        ("2026-12-01", "2026-11-30 21:00:00"),
        ("2026-12-01 15:00Z", "2026-12-01 15:00:00"),
        ("2026-12-01 15:00 -0330", "2026-12-01 18:30:00"),
        ("2026-12-01 15:00:00.5+05", "2026-12-01 10:00:00"),
    ],
)
def test_instants_are_read_by_the_list_s_zone_or_their_offset(text: str, utc: str) -> None:
    assert instant(text, ZoneInfo("Europe/Moscow")) == utc


@pytest.mark.parametrize(
    "text", ["tomorrow", "2026-02-30 10:00", "01.12.2026", "2026-12-01 25:00", "2026-12-01 10:00+99:99", "0001-01-01"]
)
def test_what_is_no_instant_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"dialer_clients.deferred_time is '.*': write an instant"):
        instant(text, ZoneInfo("Europe/Moscow"))


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2038, 1, 1)), st.integers(-12 * 60, 14 * 60))
def test_an_instant_with_an_offset_is_that_instant(at: datetime, minutes: int) -> None:
    there = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant(there.isoformat(" "), UTC) == there.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def test_zones_are_names_or_offsets() -> None:
    at = datetime(2026, 7, 1)
    assert zone_of("Europe/Moscow").utcoffset(at) == timedelta(hours=3)
    assert zone_of("+03.30h").utcoffset(at) == timedelta(hours=3.5)
    assert zone_of("-3").utcoffset(at) == timedelta(hours=-3)
    assert zone_of("Z").utcoffset(at) == timedelta(0)
    for wrong in ("Mars/Olympus", "../etc", ""):
        with pytest.raises(TableError, match="write an IANA zone"):
            zone_of(wrong)


def test_a_first_line_with_a_number_is_no_header() -> None:
    assert looks_like_data(["Ann", "+49 30 12345"])
    assert not looks_like_data(["name", "phone", "2026"])
