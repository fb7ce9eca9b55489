"""The rows of sql/data/dialer_prefixes.csv, where numbers are by how they begin, from the phonenumbers library.

Where a number is decides when it may be called, so a row claims zones only where the library leaves no doubt:

- A country with one clock has it for all its numbers, mobile ones too.
- In other countries mobile, toll-free and other numbers without a place prove nothing (zones NULL), whatever zone the
  library's own table has for them; it puts all Russian mobiles into Moscow. In Argentina, Brazil and Mexico a mobile
  number has the area code of its place.
- In the North American plan mobile numbers and ported ones keep the area code, not the exchange. So an area code has
  all zones of the exchanges in it, and no row is finer.
- Elsewhere a row inside an area code has the zones of the finer rows below it, too, since what they leave over is not
  always one place.

Zones that no place of the country has are left out, and of zones whose clocks agree one stands for all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

COLUMNS = ("prefix", "country", "region", "zones", "source")
SOURCE = "phonenumbers"

LONGEST = 8
"""The dialer compares the first eight digits at most."""
YEARS = range(2026, 2031)
"""Clocks that agree in these years are one."""

NORTH_AMERICA = "1"
OVERLAYS = {
    "236": "250",
    "364": "270",
    "367": "418",
    "448": "850",
    "458": "541",
    "474": "306",
    "581": "418",
    "672": "250",
    "689": "407",
    "778": "250",
    "879": "709",
    "930": "812",
}
"""Area codes that lie over another, of whose places the library says less than of the other's, or something else."""
UNDER_FEDERAL_LAW = {"AS", "GU", "MP", "PR", "VI"}
"""Countries of the ISO that are parts of the US, too: its law holds there."""
CORRECTED = {"740": "Europe/Kaliningrad", "7845": "Europe/Saratov"}
"""Of the Russian plan. The library has Bucharest, which changes its clocks, and Moscow, which is an hour behind."""

MOBILE_WITH_A_PLACE = {52, 54, 55}
_WITHOUT_A_PLACE = (
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


class Place(NamedTuple):
    """What a prefix says; zones in order, none: it proves no place."""

    country: str
    zones: tuple[str, ...] = ()
    region: str = ""


def rows() -> Iterator[tuple[str, ...]]:
    """The rows of the file. What the next shorter prefix says already is left out."""
    found = _north_america()
    for code, countries in COUNTRY_CODE_TO_REGION_CODE.items():
        if str(code) != NORTH_AMERICA and countries[0] != "001":  # satellites and the like
            found |= _Plan(code, countries).places()
    for prefix in sorted(found):
        shorter = next((found[prefix[:n]] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in found), None)
        if found[prefix] != shorter:
            place = found[prefix]
            yield prefix, place.country, place.region, "&".join(place.zones), SOURCE


# What the library knows of how numbers begin.


class Pattern:
    """A regular expression of the library, asked how the numbers begin that it describes."""

    def __init__(self, pattern: str) -> None:
        self._tokens = re.findall(r"\(\?:|\\d|\[[^]]*\]|\{[\d,]+\}|.", pattern)
        self._tree = self._alternatives()
        assert not self._tokens, pattern

    def begins(self, prefix: str) -> bool:
        """Is there a number that begins so?"""
        return len(prefix) in _ends(self._tree, prefix, 0)

    def may_lead(self, prefix: str) -> bool:
        """The expression describes how numbers begin: may they begin so?"""
        return bool(_ends(self._tree, prefix, 0))

    def _alternatives(self) -> _Node:
        found = [self._sequence()]
        while self._tokens[:1] == ["|"]:
            self._tokens.pop(0)
            found.append(self._sequence())
        return _Node("or", found)

    def _sequence(self) -> _Node:
        found: list[_Node] = []
        while self._tokens and self._tokens[0] not in ("|", ")"):
            read = self._tokens.pop(0)
            if read == "(?:":
                found.append(self._alternatives())
                self._tokens.pop(0)
            elif read == "?":
                found[-1] = _Node("repeat", [found[-1]], (0, 1))
            elif read[0] == "{":
                least, _, most = read[1:-1].partition(",")
                found[-1] = _Node("repeat", [found[-1]], (int(least), int(most or least)))
            else:
                found.append(_Node("digit", [], (0, 0), frozenset(one for one in "0123456789" if re.match(read, one))))
        return _Node("and", found)


class _Node(NamedTuple):
    kind: str
    parts: list[_Node]
    times: tuple[int, int] = (0, 0)
    digits: frozenset[str] = frozenset()


def _ends(node: _Node, prefix: str, start: int) -> set[int]:
    """Up to where in the prefix the node may reach from `start`. Behind the prefix any digits may follow."""
    if start == len(prefix):
        return {start}
    if node.kind == "digit":
        return {start + 1} if prefix[start] in node.digits else set()
    if node.kind == "or":
        return {end for part in node.parts for end in _ends(part, prefix, start)}
    least, most = node.times if node.kind == "repeat" else (len(node.parts), len(node.parts))
    reached, found = {start}, {start} if least == 0 else set()
    for time in range(most):
        part = node.parts[0 if node.kind == "repeat" else time]
        reached = {end for one in reached for end in _ends(part, prefix, one)}
        if time + 1 >= least:
            found |= reached
    return found


@cache
def _pattern(text: str) -> Pattern:
    return Pattern(text)


class _Country:
    """One country of a plan: which of its numbers have a place."""

    def __init__(self, country: str) -> None:
        metadata = PhoneMetadata.metadata_for_region(country)
        assert metadata is not None
        self.code = str(metadata.country_code)
        placeless: tuple[str, ...] = _WITHOUT_A_PLACE
        placed: tuple[str, ...] = ("fixed_line",)
        if metadata.country_code in MOBILE_WITH_A_PLACE:
            placed += ("mobile",)
        else:
            placeless += ("mobile",)
        self._leading = _pattern(metadata.leading_digits) if metadata.leading_digits else None
        described = [
            (place, getattr(metadata, kind)) for place, kinds in ((True, placed), (False, placeless)) for kind in kinds
        ]
        self._fitting = {
            self.code: [
                (place, _pattern(one.national_number_pattern))
                for place, one in described
                if one and one.national_number_pattern
            ]
        }
        """By prefix, the patterns of which some numbers begin so; with a place, or without."""

    def places(self, prefix: str) -> set[bool]:
        """Of its numbers that begin so: are there any with a place (True), and any without (False)?"""
        return {place for place, _ in self._fits(prefix)}

    def described(self, prefix: str) -> set[int]:
        """What describes them; the same for another country: the same numbers."""
        return {id(pattern) for _, pattern in self._fits(prefix)}

    def _fits(self, prefix: str) -> list[tuple[bool, Pattern]]:
        if prefix not in self._fitting:
            national = prefix[len(self.code) :]
            leads = self._leading is None or self._leading.may_lead(national)
            shorter = self._fits(prefix[:-1]) if leads else []
            self._fitting[prefix] = [(place, pattern) for place, pattern in shorter if pattern.begins(national)]
        return self._fitting[prefix]


class _Plan:
    """The numbers of one country code, which several countries may share; the first is the main one."""

    def __init__(self, code: int, countries: Sequence[str]) -> None:
        self._code = str(code)
        self._main = countries[0]
        self._countries = {country: _Country(country) for country in countries}
        rows = {prefix[:LONGEST]: zones for prefix, zones in TIMEZONE_DATA.items() if prefix.startswith(self._code)}
        rows |= {prefix: (zone,) for prefix, zone in CORRECTED.items() if prefix.startswith(self._code)}
        rows = {prefix: self._with_finer(prefix, rows) for prefix in rows}
        self._clocks = {country: Clocks(country, self._claimed(country, rows)) for country in countries}
        self._rows = rows
        self._split = {row[:length] for row in rows for length in range(len(row))}

    def places(self) -> dict[str, Place]:
        """By prefix, what it says; also where it says no more than a shorter one."""
        found: dict[str, Place] = {}
        self._look(self._code, found)
        # The country's own row is for what is in no other.
        found[self._code] = Place(self._main, self._clocks[self._main].only)
        return found

    def _look(self, prefix: str, found: dict[str, Place]) -> Place | None:
        """Find out what the numbers that begin so say, and what is different further down. None: there are none."""
        there = {country: places for country, one in self._countries.items() if (places := one.places(prefix))}
        if not there:
            return None
        country, one_country = next(iter(there)), len(there) == 1
        if one_country and (self._clocks[country].only or there[country] == {False}):
            said = Place(country, self._clocks[country].only)
        elif one_country and there[country] == {True} and prefix not in self._split:
            said = Place(country, self._clocks[country].of(self._of(prefix)))
        elif len(prefix) < LONGEST and not self._shared(prefix, there):
            return self._look_below(prefix, found)
        else:  # nobody can tell them apart
            clocks = {self._clocks[one].only and _clock(*self._clocks[one].only) for one in there}
            said = Place(country, self._clocks[country].only if len(clocks) == 1 else ())
        found[prefix] = said
        return said

    def _shared(self, prefix: str, countries: Iterable[str]) -> bool:
        """Have several countries the same numbers here, like toll-free ones?"""
        described = [self._countries[country].described(prefix) for country in countries]
        return len(described) > 1 and all(one == described[0] for one in described)

    def _look_below(self, prefix: str, found: dict[str, Place]) -> Place:
        below: dict[str, Place] = {}
        said = {prefix + digit: self._look(prefix + digit, below) for digit in "0123456789"}
        counted = Counter(place for place in said.values() if place)
        most = counted.most_common(1)[0][0]
        if len(counted) > 1:  # else what is not in use follows the rest
            below |= {one: Place(self._main, self._clocks[self._main].only) for one, place in said.items() if not place}
        found |= below
        found[prefix] = most
        return most

    def _of(self, prefix: str) -> tuple[str, ...]:
        """The zones of the longest row; the country's own row proves no place."""
        for length in range(len(prefix), len(self._code), -1):
            if prefix[:length] in self._rows:
                return self._rows[prefix[:length]]
        return ()

    def _with_finer(self, prefix: str, rows: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        if len(prefix) < len(self._code) + self._area_code(prefix):
            return rows[prefix]
        return tuple(sorted({zone for row, zones in rows.items() if row.startswith(prefix) for zone in zones}))

    def _area_code(self, prefix: str) -> int:
        """How many digits the area code has here; of numbers without one, more than any prefix."""
        for length in range(7, 14):
            number = phonenumbers.parse("+" + prefix + "2" * max(0, length - len(prefix) + len(self._code)))
            if area := phonenumbers.length_of_geographical_area_code(number):
                return area
        return LONGEST

    def _claimed(self, country: str, rows: dict[str, tuple[str, ...]]) -> Iterator[str]:
        """The zones that the library has for numbers of a country, as often as it has them."""
        for prefix, zones in rows.items():
            if {one for one, plan in self._countries.items() if plan.places(prefix)} == {country}:
                yield from zones
        if len(self._countries) == 1:
            yield from TIMEZONE_DATA.get(self._code, ())


# Zones.


class Clocks:
    """The zones of a country, each named once."""

    def __init__(self, country: str, claimed: Iterable[str]) -> None:
        self._country = country
        counted = Counter(name for zone in claimed if (name := self._name(zone)))
        best: dict[tuple[int, ...], str] = {}
        for name, _ in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
            best.setdefault(_clock(name), name)
        self._best = best

    @property
    def only(self) -> tuple[str, ...]:
        """The zone of a country with one clock; else none."""
        return tuple(self._best.values()) if len(self._best) == 1 else ()

    def of(self, zones: Iterable[str]) -> tuple[str, ...]:
        """These zones, by the names of this country; none if one is not a zone of this country."""
        names = [self._name(zone) for zone in zones]
        if not all(names):
            return ()
        return tuple(sorted({self._best[_clock(name)] for name in names if name}))

    def _name(self, zone: str) -> str | None:
        """Its name in this country; libraries use old names, and zones of a neighbour with the same clock."""
        there = _zones_of().get(self._country, [])
        if zone in there:
            return zone
        if (target := _links().get(zone)) in there:
            return target
        return next((one for one in there if _clock(one) == _clock(zone)), None)


@cache
def _clock(zone: str) -> tuple[int, ...]:
    """Offsets from UTC, day by day."""
    with resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
        info = ZoneInfo.from_file(file)  # the package's zone, not this machine's
    since, until = datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC)
    days = (since + timedelta(days=day) for day in range((until - since).days))
    return tuple(int((day.astimezone(info).utcoffset() or timedelta()).total_seconds()) for day in days)


@cache
def _zones_of() -> dict[str, list[str]]:
    """By country, its zones."""
    found: dict[str, list[str]] = {}
    for line in (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return found


@cache
def _links() -> dict[str, str]:
    """By old name, the new one."""
    lines = (resources.files("tzdata") / "zoneinfo" / "tzdata.zi").read_text("utf-8").splitlines()
    return {line.split()[2]: line.split()[1] for line in lines if line.startswith("L ")}


# The North American plan.


def _north_america() -> dict[str, Place]:
    found = {NORTH_AMERICA: Place("US")}
    countries = {country: _Country(country) for country in COUNTRY_CODE_TO_REGION_CODE[int(NORTH_AMERICA)]}
    areas = {f"{NORTH_AMERICA}{area}": zones for area in range(200, 1000) if (zones := _zones_in(str(area)))}
    owner = {area: _owner(area, countries) for area in areas}
    clocks = {
        country: Clocks(country, (zone for area, zones in areas.items() if owner[area] == country for zone in zones))
        for country in countries
    }
    for area, zones in areas.items():
        if country := owner[area]:
            found[area] = Place(country, clocks[country].of(zones), _part(area, country))
    return found


def _zones_in(area: str) -> set[str]:
    """The zones of all exchanges of an area code, and of the one that it lies over."""
    codes = [f"{NORTH_AMERICA}{one}" for one in (area, OVERLAYS.get(area)) if one]
    return {zone for row, zones in TIMEZONE_DATA.items() if row[:4] in codes for zone in zones}


def _owner(area: str, countries: dict[str, _Country]) -> str | None:
    """The country of an area code that has places; None: it has none, like 800."""
    return next((country for country, one in countries.items() if True in one.places(area)), None)


def _part(area: str, country: str) -> str:
    """The state or province of an area code, if it is in one; like US-FL."""
    if country in UNDER_FEDERAL_LAW:
        return f"US-{country}"
    if country not in ("US", "CA"):
        return ""
    whole = GEOCODE_DATA.get(area, {}).get("en")
    names = [whole] if whole else [names["en"] for row, names in GEOCODE_DATA.items() if row[:4] == area]
    found = {_parts(country).get(name.rpartition(", ")[2]) for name in names}
    return f"{country}-{part}" if len(found) == 1 and (part := found.pop()) else ""


@cache
def _parts(country: str) -> dict[str, str]:
    """By name and by letters, the letters."""
    known = holidays.country_holidays(country)
    named = {name: letters for letters, names in known.get_subdivision_aliases().items() for name in names}
    written = {"Washington State": "WA", "Washington D.C.": "DC", "British Colombia": "BC"}
    return {letters: letters for letters in known.subdivisions} | named | written
