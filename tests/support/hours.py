"""The hours a second time, in Python: a case's own and those of dialer_hours, straight from their rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from tests.support.windows import is_open, seconds_of, zone_of
from worker.db.database import Database, Row

DAYS = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"]


def names_day(weekdays: str, day: str) -> bool:
    """Does 'Mo-Fr,Su,PH' name a day, by its two letters or PH?"""
    for part in weekdays.split(","):
        first, dash, last = part.partition("-")
        if not dash:
            if part == day:
                return True
        elif day in DAYS:
            span = (DAYS.index(last) - DAYS.index(first)) % 7
            if (DAYS.index(day) - DAYS.index(first)) % 7 <= span:
                return True
    return False


class Hours:
    """The rows of a database as they are now."""

    def __init__(self, db: Database) -> None:
        self._rows = db.query("SELECT * FROM dialer_hours")
        self._holidays = {
            (row["region"], row["day"])
            for row in db.query("SELECT region, day FROM dialer_holidays WHERE source = 'own'")
        }
        self._projects = {
            row["project_id"]: row
            for row in db.query("SELECT project_id, client, purpose, zone, zone_by FROM dialer_params")
        }

    def zones(self, case: Row) -> list[str]:
        """By which clocks a case goes."""
        project = self._projects.get(case["project_id"], {"zone": None, "zone_by": "project"})
        if case["utc"]:
            return [case["utc"]]
        if project["zone_by"] == "number" and case["zones"] is not None:
            return list(case["zones"].split("&"))
        if project["zone"] is not None:
            return [project["zone"]]
        return list(case["zones"].split("&")) if case["zones"] is not None else ["UTC"]

    def are_open(self, case: Row, now: datetime) -> bool:
        """May the case be called at `now`, as far as hours go?"""
        return all(self._are_open_in(zone, case, now) for zone in self.zones(case))

    def never_open(self, case: Row, now: datetime) -> bool:
        """Are they closed for the next ten days? Hours that contradict each other; all begin at half an hour."""
        first = now.replace(minute=0, second=0, microsecond=0)
        return not any(self.are_open(case, first + timedelta(minutes=30 * step)) for step in range(480))

    def _are_open_in(self, zone: str, case: Row, now: datetime) -> bool:
        if not is_open(zone, case["allowed_start"], case["allowed_stop"], now):
            return False
        local = now.astimezone(zone_of(zone))
        clock = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        day = "PH" if self._is_holiday(case, local.date()) else DAYS[local.weekday()]
        groups: dict[Any, list[bool]] = defaultdict(list)
        for row in self._rows:
            if self._applies(row, case):
                scope = tuple(row[name] for name in ("project_id", "client", "region", "purpose", "preset"))
                holds = names_day(row["weekdays"], day) and seconds_of(row["starts"]) <= clock < seconds_of(
                    row["stops"]
                )
                groups[scope].append(holds)
        return all(any(group) for group in groups.values())

    def _regions(self, case: Row) -> set[str]:
        places = {place for place in (case["region"], case["number_region"]) if place is not None}
        return places | {place[:2] for place in places}

    def _is_holiday(self, case: Row, day: date) -> bool:
        return any((region, day) in self._holidays for region in self._regions(case))

    def _applies(self, row: Row, case: Row) -> bool:
        about = self._projects.get(case["project_id"], {"client": None, "purpose": None})
        return (
            row["project_id"] in (None, case["project_id"])
            and (row["client"] is None or row["client"] == about["client"])
            and (row["purpose"] is None or row["purpose"] == about["purpose"])
            and (row["region"] is None or row["region"] in self._regions(case))
        )
