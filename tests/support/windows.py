"""Call windows a second time, in Python: what dialer_window_open and dialer_window_next are compared with.

Shares nothing with the SQL: offsets are parsed by hand, zones are zoneinfo's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_DECIMAL_QUARTERS = {"25": 15, "5": 30, "50": 30, "75": 45, "0": 0}


def zone_of(name: str) -> tzinfo:
    """An offset ('+03.00h', '-5:30', 'Z') or an IANA name."""
    if name.upper() in ("Z", "UTC", "GMT"):
        return UTC
    if name[0] not in "+-":
        return ZoneInfo(name)
    digits = name[1:].removesuffix("h")
    for mark in ".:":
        hours, found, minutes = digits.partition(mark)
        if found:
            break
    quarter = _DECIMAL_QUARTERS.get(minutes) if mark == "." else None
    size = timedelta(hours=int(hours), minutes=quarter if quarter is not None else int(minutes or 0))
    return timezone(-size if name[0] == "-" else size)


def seconds_of(time_of_day: str) -> int:
    """Seconds since midnight; 24:00 is 86400."""
    parts = [int(part) for part in time_of_day.split(":")] + [0]
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def is_open(zone: str, start: str, stop: str, at: datetime) -> bool:
    """Is it between start and stop on the wall clock of `zone`?"""
    local = at.astimezone(zone_of(zone))
    now = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
    opens, closes = seconds_of(start) % 86400, seconds_of(stop)
    if opens == closes % 86400:
        return True
    if opens < closes:
        return opens <= now < closes
    return now >= opens or now < closes


def clock_changes(zone: str, first: datetime, last: datetime) -> list[datetime]:
    """The instants at which the zone's offset changes."""
    info = zone_of(zone)
    found = []
    day = first
    while day < last:
        low, high = day, day + timedelta(days=1)
        if low.astimezone(info).utcoffset() != high.astimezone(info).utcoffset():
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                if middle.astimezone(info).utcoffset() == low.astimezone(info).utcoffset():
                    low = middle
                else:
                    high = middle
            found.append(high)
        day += timedelta(days=1)
    return found
