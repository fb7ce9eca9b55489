"""The rows of sql/data/dialer_holidays.csv, public holidays where presets hold, from the holidays library.

A part of a country (ISO 3166-2) has a row only where the whole country has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

import holidays

COLUMNS = ("region", "day", "name", "source")
SOURCE = "holidays"
COUNTRIES = ("AU", "BR", "CA", "DE", "ES", "FR", "GB", "IN", "IT", "NL", "NZ", "RU", "US")
YEARS = 3
"""How many years the file has."""

_PART = re.compile(r"[A-Z0-9]{1,3}")
"""The library also knows cities, and zones of schools; nobody's region is one."""


def rows(first_year: int) -> Iterator[tuple[str, ...]]:
    """A row per region and day, in order: whole countries, then their parts."""
    years = range(first_year, first_year + YEARS)
    for country in COUNTRIES:
        whole = _days(country, None, years)
        yield from _rows(country, whole)
        for part in sorted(filter(_PART.fullmatch, holidays.country_holidays(country).subdivisions)):
            days = _days(country, part, years)
            yield from _rows(f"{country}-{part}", {day: days[day] for day in days if day not in whole})


def _rows(region: str, days: dict[date, str]) -> Iterator[tuple[str, ...]]:
    for day, name in sorted(days.items()):
        yield region, day.isoformat(), name, SOURCE


def _days(country: str, part: str | None, years: Sequence[int]) -> dict[date, str]:
    known = holidays.country_holidays(country).supported_languages
    language = "en_US" if "en_US" in known else None
    return dict(holidays.country_holidays(country, subdiv=part, years=years, language=language))
