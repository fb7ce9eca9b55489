"""The rows made from libraries: the files are what these give, and say no more of a number than they know."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.timezone import time_zones_for_geographical_number
from phonenumbers.tzdata import TIMEZONE_DATA

from scripts import data
from scripts.prefixes import CORRECTED, MOBILE_WITH_A_PLACE, OVERLAYS, YEARS
from sql import LIBRARY

Row = dict[str, str | None]

TWO_ZONES = (
    *(
        208,
        219,
        250,
        270,
        308,
        418,
        423,
        541,
        574,
        605,
        606,
        620,
        701,
        709,
        775,
        785,
        807,
        812,
        850,
        867,
        879,
        906,
        907,
    ),
    *(928, 986, 364, 930, 458, 448, 581, 367, 236, 672, 778),
)
"""Area codes whose exchanges, or those of the area codes below them, lie in two zones."""


@pytest.mark.parametrize("table", data.TABLES)
def test_a_file_is_what_the_installed_libraries_give(table: str) -> None:
    assert data.path(table).read_text("utf-8") == data.written(table, data.first_year()), "run `make data`"


# Where numbers are.


@cache
def prefixes() -> dict[str, Row]:
    return {str(row["prefix"]): row for row in LIBRARY.data("dialer_prefixes")}


def said(number: str) -> Row:
    """What the longest prefix of at most eight digits says of a number, without +."""
    return next(prefixes()[number[:n]] for n in range(8, 0, -1) if number[:n] in prefixes())


def zones(number: str) -> set[str]:
    """The zones of a number; none: it proves no place."""
    return set((said(number)["zones"] or "").split("&")) - {""}


@cache
def clock(zone: str) -> tuple[timedelta | None, ...]:
    """How a zone is ahead of UTC, week by week."""
    since = datetime(YEARS[0], 1, 1, tzinfo=ZoneInfo("UTC"))
    return tuple((since + timedelta(weeks=n)).astimezone(ZoneInfo(zone)).utcoffset() for n in range(52 * len(YEARS)))


def clocks(names: set[str]) -> set[tuple[timedelta | None, ...]]:
    return set(map(clock, names))


def some_numbers() -> Iterator[PhoneNumber]:
    """Valid numbers below each row of the library's zones but those of North America; the same in each run."""
    drawn = random.Random(4)
    for row in TIMEZONE_DATA:
        for _ in range(0 if row.startswith("1") else 60):
            tail = "".join(drawn.choices("0123456789", k=drawn.choice((5, 6, 7, 8, 9))))
            number = phonenumbers.parse("+" + (row + tail)[:15])
            if phonenumbers.is_valid_number(number):
                yield number


def digits(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]


@cache
def library_clocks(country_code: int) -> int:
    """Between how many clocks the library's zones of a country code are divided."""
    named = {zone for row, some in TIMEZONE_DATA.items() if row.startswith(str(country_code)) for zone in some}
    return len(clocks(named))


def test_a_number_without_a_place_proves_none_where_there_are_several_clocks() -> None:
    seen = Counter[int]()
    for number in some_numbers():
        mobile = phonenumbers.number_type(number) == PhoneNumberType.MOBILE
        placed = phonenumbers.is_number_geographical(number)
        if not placed and library_clocks(number.country_code or 0) > 1:
            seen[number.country_code or 0] += 1
            one_clock = len(clocks(zones(digits(number)))) == 1
            # One country of several on this code may have one clock; then it has it for all its numbers.
            country = said(digits(number))["country"]
            alone = {row["zones"] for row in prefixes().values() if row["country"] == country and row["zones"]}
            assert not zones(digits(number)) or (one_clock and len(alone) == 1), (digits(number), mobile)
    assert {7, 61, 34, 62, 351} <= seen.keys()
    assert sum(seen.values()) > 300


def test_a_number_with_a_place_has_the_clocks_of_the_library_or_proves_none() -> None:
    seen = unsure = 0
    for number in some_numbers():
        if not phonenumbers.is_number_geographical(number) or digits(number).startswith(tuple(CORRECTED)):
            continue
        found = zones(digits(number))
        seen += 1
        if found:
            wanted = set(time_zones_for_geographical_number(number))
            assert clocks(wanted) <= clocks(found), (digits(number), wanted, found)
        else:
            unsure += 1
    assert seen > 5000
    assert unsure < seen / 5


@pytest.mark.parametrize(
    ("number", "country", "where"),
    [
        ("79161234567", "RU", set()),  # mobile
        ("74951234567", "RU", {"Europe/Moscow"}),
        ("74012123456", "RU", {"Europe/Kaliningrad"}),
        ("61412345678", "AU", set()),  # mobile
        ("61731234567", "AU", {"Australia/Brisbane"}),
        ("61740123456", "AU", {"Australia/Brisbane", "Australia/Sydney"}),  # the library's row says Sydney
        ("34612345678", "ES", set()),  # mobile
        ("34912345678", "ES", {"Europe/Madrid"}),
        ("34928123456", "ES", {"Atlantic/Canary"}),
        ("4915112345678", "DE", {"Europe/Berlin"}),  # mobile, but there is one clock
        ("447400123456", "GB", {"Europe/London"}),
        ("441481960194", "GG", {"Europe/Guernsey"}),
        ("18005551212", "US", set()),  # toll-free
        ("12125551212", "US", {"America/New_York"}),
        ("18502345678", "US", {"America/Chicago", "America/New_York"}),
        ("77012345678", "KZ", {"Asia/Aqtobe"}),
    ],
)
def test_what_is_said_of_some_numbers(number: str, country: str, where: set[str]) -> None:
    assert (said(number)["country"], zones(number)) == (country, where)


def test_an_area_code_of_north_america_is_one_row_with_all_its_zones() -> None:
    own = {prefix: row for prefix, row in prefixes().items() if prefix.startswith("1") and prefix != "1"}
    assert {len(prefix) for prefix in own} == {4}
    for row, some in TIMEZONE_DATA.items():
        if len(row) > 4 and row.startswith("1") and row[:4] in own:
            assert clocks(set(some)) <= clocks(zones(row[:4])), row
    assert [area for area in TWO_ZONES if len(zones(f"1{area}")) < 2] == []
    for over, under in OVERLAYS.items():
        assert clocks(zones(f"1{under}")) <= clocks(zones(f"1{over}")), over


@pytest.mark.parametrize(
    ("area", "region"),
    [
        *[("850", "US-FL"), ("212", "US-NY"), ("203", "US-CT"), ("713", "US-TX"), ("202", "US-DC"), ("206", "US-WA")],
        *[("905", "CA-ON"), ("604", "CA-BC"), ("787", "US-PR"), ("867", None), ("902", None), ("800", None)],
    ],
)
def test_an_area_code_names_its_state_where_it_is_in_one(area: str, region: str | None) -> None:
    assert said(f"1{area}2345678")["region"] == region


def test_most_area_codes_of_the_us_and_canada_name_a_state() -> None:
    own = [row for prefix, row in prefixes().items() if len(prefix) == 4 and row["country"] in ("US", "CA")]
    assert len(own) > 400
    assert sum(row["region"] is None for row in own) <= 3
    assert all(str(row["region"]).startswith(f"{row['country']}-") for row in own if row["region"])


def test_no_row_says_what_the_next_shorter_prefix_says() -> None:
    for prefix, row in prefixes().items():
        shorter = next((prefix[:n] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in prefixes()), None)
        if shorter:
            told = {name: row[name] for name in ("country", "region", "zones")}
            assert told != {name: prefixes()[shorter][name] for name in told}, prefix


def test_every_zone_has_a_name_that_the_databases_take() -> None:
    named = {zone for row in prefixes().values() for zone in (row["zones"] or "").split("&") if zone}
    assert len(named) > 200
    assert all(re.fullmatch(r"[A-Za-z]+(/[A-Za-z_-]+)+", zone) and ZoneInfo(zone) for zone in named)
    assert all(len(row["zones"] or "") <= 1000 for row in prefixes().values())


@pytest.mark.parametrize(("country", "zone"), [("BR", "America/Sao_Paulo"), ("MX", "America/Mexico_City")])
def test_a_mobile_number_has_a_place_in_plans_that_give_it_one(country: str, zone: str) -> None:
    number = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    assert number is not None
    assert number.country_code in MOBILE_WITH_A_PLACE
    assert zones(digits(number)) == {zone}


# Public holidays.


def holidays() -> list[tuple[str, date, str]]:
    rows = LIBRARY.data("dialer_holidays")
    return [(str(row["region"]), date.fromisoformat(str(row["day"])), str(row["name"])) for row in rows]


def test_holidays_are_three_years_of_each_country() -> None:
    years = {(region, day.year) for region, day, _ in holidays() if "-" not in region}
    first = data.first_year()
    countries = {region for region, _ in years}
    assert years == {(country, year) for country in countries for year in range(first, first + 3)}


def test_a_part_of_a_country_has_only_days_that_the_whole_has_not() -> None:
    days = Counter((region, day) for region, day, _ in holidays())
    assert set(days.values()) == {1}
    assert not [one for one in days if (one[0][:2], one[1]) in days and "-" in one[0]]
    assert all(re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", region) for region, _ in days)


def test_some_holidays_are_where_they_are() -> None:
    found = {(region, day) for region, day, _ in holidays()}
    for year in range(data.first_year(), data.first_year() + 3):
        assert {("DE", date(year, 10, 3)), ("DE-BY", date(year, 1, 6)), ("FR", date(year, 7, 14))} <= found
        assert {("US", date(year, 7, 4)), ("RU", date(year, 5, 9)), ("BR", date(year, 9, 7))} <= found
        assert ("DE-BE", date(year, 1, 6)) not in found


def test_the_command_says_which_file_is_stale_and_renews_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    folder = tmp_path
    for table in data.TABLES:
        (folder / f"{table}.csv").write_text(data.path(table).read_text("utf-8"))
    monkeypatch.setattr(data, "FOLDER", folder)
    monkeypatch.setattr(data, "TABLES", ("dialer_holidays",))
    assert data.main(["--check"]) == 0
    whole = data.path("dialer_holidays").read_text("utf-8")
    data.path("dialer_holidays").write_text(whole.replace("Epiphany", "Monday"))
    assert data.main(["--check"]) == 1
    assert "dialer_holidays" in capsys.readouterr().out
    assert "Monday" in data.path("dialer_holidays").read_text("utf-8")
    assert data.main([]) == 0
    assert "Epiphany" in data.path("dialer_holidays").read_text("utf-8")
