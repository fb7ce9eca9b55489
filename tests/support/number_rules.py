"""The rules on numbers a second time, in Python: do-not-call, limits and pauses, straight from their rows.

Shares nothing with the SQL but the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.support.hours import Hours
from tests.support.windows import zone_of
from worker.db.database import Database, Row

LEVELS = {"attempts": 1, "connected": 2, "conversations": 3}


def level(attempt: Row) -> int:
    """What a call counts as: nothing, an attempt, connected, a conversation."""
    rang = attempt["ringing_at"] is not None or attempt["answered_at"] is not None
    if attempt["outcome"] == "FAILED" or (attempt["outcome"] in ("CANCELLED", "TECHNICAL") and not rang):
        return 0
    if attempt["answered_at"] is None or "MACHINE" in (attempt["outcome"], attempt["amd_verdict"]):
        return 1
    return 3 if attempt["agent_at"] is not None or attempt["played_at"] is not None else 2


def period_start(zone: str, period: str, at: datetime) -> datetime:
    """The first instant of the local day, week or month that holds `at`."""
    info = zone_of(zone)
    day = at.astimezone(info).date()
    if period == "week":
        day -= timedelta(days=day.weekday())
    if period == "month":
        day = day.replace(day=1)
    return first_instant(zone, day)


def first_instant(zone: str, day: date) -> datetime:
    """When `day` begins in a zone: the first instant at which a clock there shows it."""
    info = zone_of(zone)
    low = datetime.combine(day, time(), UTC) - timedelta(hours=30)
    high = low + timedelta(hours=48)
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(info).date() >= day:
            high = middle
        else:
            low = middle
    return high


class NumberRules:
    """The rows of a database as they are now."""

    def __init__(self, db: Database, hours: Hours) -> None:
        self._hours = hours
        self._dnc = db.query("SELECT * FROM dialer_dnc")
        self._limits = db.query("SELECT * FROM dialer_limits")
        self._pauses = db.query("SELECT * FROM dialer_number_pauses")
        self._projects = {
            row["project_id"]: row for row in db.query("SELECT project_id, client, purpose FROM dialer_params")
        }
        columns = (
            "case_id, project_id, phone_number, number, case_inserted_at, outcome, begun_at, ringing_at, answered_at,"
            " agent_at, played_at, amd_verdict"
        )
        self._calls = [
            *db.query(f"SELECT {columns} FROM dialer_attempts"),
            *db.query(f"SELECT {columns} FROM dialer_calls"),
        ]

    def reason(self, case: Row, now: datetime) -> str | None:
        """The first rule that speaks against a case (a row of dialer_clients)."""
        if any(self._is_listed(entry, case, now) for entry in self._dnc):
            return "do_not_call"
        if any(self._is_full(limit, case, now) for limit in self._limits):
            return "number_limit"
        if any(
            pause["number"] == case["number"] and pause["until_at"] > now and self._binds(pause, case)
            for pause in self._pauses
        ):
            return "number_pause"
        return None

    def never_ends(self, case: Row, now: datetime) -> bool:
        """Does a rule speak against it now or later whose end nobody knows?"""
        return any(
            entry["until_at"] is None and self._is_listed(entry, case, max(now, entry["from_at"] or now))
            for entry in self._dnc
        ) or any(
            limit["period_minutes"] is None and limit["local_period"] is None and self._is_full(limit, case, now)
            for limit in self._limits
        )

    def _is_listed(self, entry: Row, case: Row, now: datetime) -> bool:
        number = str(case["number"])
        prefix, star, _ = str(entry["number"]).partition("*")
        matches = number.startswith(prefix) if star else number == prefix
        begun = entry["from_at"] is None or entry["from_at"] <= now
        return (
            matches and begun and (entry["until_at"] is None or entry["until_at"] > now) and self.applies(entry, case)
        )

    def _is_full(self, limit: Row, case: Row, now: datetime) -> bool:
        if not self._binds(limit, case):
            return False
        if limit["period_minutes"] is not None:
            since = now - timedelta(minutes=limit["period_minutes"]) + timedelta(microseconds=1)
        elif limit["local_period"] is not None:
            since = min(period_start(zone, limit["local_period"], now) for zone in self._hours.zones(case))
        else:
            since = datetime.min.replace(tzinfo=UTC)
        same: tuple[str, ...] = ("number",)
        keys = {"number": case["number"]}
        if limit["keyed_by"] == "case":
            same = ("case_id", "project_id", "phone_number", "case_inserted_at")
            keys = dict(
                zip(same, (case["id"], case["project_id"], case["phone_number"], case["inserted_at"]), strict=True)
            )
        counted = [
            call
            for call in self._calls
            if all(call[name] == keys[name] for name in same)
            and call["begun_at"] >= since
            and level(call) >= LEVELS[limit["counts"]]
            and self._is_of(limit, call["project_id"])
        ]
        return len(counted) >= int(limit["most"])

    def _binds(self, rule: Row, case: Row) -> bool:
        promised = case["deferred_kind"] == "scheduled" and not case["deferred_done"]
        return self.applies(rule, case) and (bool(rule["callbacks"]) or not promised)

    def applies(self, rule: Row, case: Row) -> bool:
        places = {case["region"], case["number_region"]} - {None}
        regions = places | {place[:2] for place in places}
        return self._is_of(rule, case["project_id"]) and (rule["region"] is None or rule["region"] in regions)

    def _is_of(self, rule: Row, project: str) -> bool:
        about: Mapping[str, Any] = self._projects.get(project, {"client": None, "purpose": None})
        return bool(
            rule["project_id"] in (None, project)
            and (rule["client"] is None or rule["client"] == about["client"])
            and (rule["purpose"] is None or rule["purpose"] == about["purpose"])
        )
