"""The presets of law: what they say, and that what they cannot see to is always told."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date

import pytest
from pydantic import ValidationError

from dialer.presets import Preset, presets
from dialer.rules import UnknownPresetError, preset, show
from sql import LIBRARY

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def dialer(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dialer", *arguments], capture_output=True, text=True, check=False)


def holds(weekdays: str, day: str) -> bool:
    """Does a list of days name this one?"""
    for item in weekdays.split(","):
        first, _, last = item.partition("-")
        if day == first or (last and DAYS.index(first) <= (DAYS.index(day) if day in DAYS else 9) <= DAYS.index(last)):
            return True
    return False


def is_open(name: str, day: str, time: str, *, purpose: str | None = None, region: str | None = None) -> bool:
    """May somebody there be called on such a day (PH: a public holiday) at this time? Of the rows with one scope one
    must be open, and that for every scope."""
    one = presets()[name]
    scopes: dict[object, list[bool]] = {}
    for row in one.rows()["dialer_hours"]:
        if (region or one.region).startswith(row["region"]) and purpose in (None, row["purpose"]):
            held = holds(row["weekdays"], day) and row["starts"] <= time < row["stops"]
            scopes.setdefault((row["region"], row["purpose"]), []).append(held)
    return all(map(any, scopes.values()))


@pytest.mark.parametrize(
    ("name", "day", "time", "opened"),
    [
        ("us", "Su", "08:00", True),
        ("us", "PH", "20:59", True),
        ("us", "Mo", "21:00", False),
        ("us-fl", "Mo", "20:00", False),
        ("us-tx", "Su", "11:59", False),
        ("us-tx", "Su", "12:00", True),
        ("us-tx", "Sa", "09:00", True),
        ("us-al", "Su", "12:00", False),
        ("us-al", "PH", "12:00", False),
        ("us-ky", "Mo", "09:59", False),
        ("ca", "Fr", "21:29", True),
        ("ca", "Sa", "18:00", False),
        ("de", "Sa", "08:59", False),
        ("de", "Su", "12:00", False),
        ("de", "PH", "12:00", False),
        ("fr", "Tu", "12:59", True),
        ("fr", "Tu", "13:30", False),
        ("fr", "Tu", "19:59", True),
        ("fr", "Sa", "11:00", False),
        ("it", "Sa", "18:59", True),
        ("es", "PH", "12:00", False),
        ("ru-debt", "Fr", "21:59", True),
        ("ru-debt", "Sa", "20:00", False),
        ("ru-debt", "PH", "09:00", True),
        ("in-debt", "Mo", "19:00", False),
        ("nz", "Sa", "20:59", True),
        ("nz", "Su", "12:00", False),
        ("au-debt", "Mo", "07:30", True),
        ("au-debt", "Su", "08:59", False),
        ("nl", "Su", "03:00", True),  # there is no rule: nobody's hours are written
    ],
)
def test_hours_are_those_of_the_law(name: str, day: str, time: str, opened: bool) -> None:
    assert is_open(name, day, time) == opened


def test_purposes_and_parts_of_a_country_have_hours_of_their_own() -> None:
    assert is_open("au", "Su", "16:59", purpose="research")
    assert not is_open("au", "Su", "16:59", purpose="sales")
    assert not is_open("br", "Sa", "11:00", region="BR-RJ")
    assert is_open("br", "Sa", "11:00")


@pytest.mark.parametrize("name", presets())
def test_a_preset_tells_all_that_it_writes_and_all_that_it_does_not_see_to(name: str) -> None:
    one = presets()[name]
    told = "\n".join(show(name))
    assert all(part in told for part in (one.source, str(one.dated), f"sure: {one.sure}", *one.not_enforced))
    for rows in one.rows().values():
        for row in rows:
            assert all(
                f"{column} {value}" in told
                for column, value in row.items()
                if value and column != "preset" and value is not True
            )
    assert all(sentence.endswith(".") and sentence.isprintable() for sentence in one.not_enforced)


@pytest.mark.parametrize("name", presets())
def test_what_a_preset_refers_to_is_there(name: str) -> None:
    one = presets()[name]
    assert set(one.needs) <= presets().keys() - {name}
    assert one.dated > date(2024, 1, 1)
    assert one.region[:2] in {str(row["region"]) for row in LIBRARY.data("dialer_holidays")}
    assert all(row["starts"] < row["stops"] for row in one.rows()["dialer_hours"])
    assert all(re.fullmatch(r"[A-Za-z,-]+", row["weekdays"]) for row in one.rows()["dialer_hours"])


def test_a_state_that_is_stricter_names_the_federal_law_beside_it() -> None:
    states = [one for one in presets().values() if one.region.startswith("US-")]
    assert len(states) > 10
    assert all(one.needs == ("us",) and one.zone_by == "number" for one in states)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"sure": "D"}, {"region": "usa"}, {"hours": [{"weekdays": "Mo", "starts": "9", "stops": "21:00"}]}],
        *[{"hourse": []}, {"not_enforced": []}, {"limits": [{"most": 0}]}, {"purpose": "spam"}],
    ],
)
def test_a_mistake_in_the_file_is_found(wrong: dict[str, object]) -> None:
    good = presets()["us"].model_dump()
    Preset(**good)
    with pytest.raises(ValidationError):
        Preset(**(good | wrong))


def test_the_command_shows_a_preset_without_a_database() -> None:
    done = dialer("rules", "show", "us-fl")
    assert done.returncode == 0
    assert "dialer_limits: region US-FL" in done.stdout


def test_a_name_that_is_none_is_a_sentence() -> None:
    with pytest.raises(UnknownPresetError, match="'us-xx'"):
        preset("us-xx")
    done = dialer("rules", "show", "us-xx")
    assert done.returncode == 1
    assert "`dialer rules list`" in done.stderr


def test_a_preset_is_for_a_project_or_for_a_client() -> None:
    done = dialer("rules", "apply", "us", "--project", "p", "--client", "c")
    assert done.returncode == 2
    assert "not allowed with" in done.stderr
