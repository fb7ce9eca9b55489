"""Cases: claim them, give them back, insert them, count them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import column, insert, table

from worker.db.routines.base import Routines
from worker.model import Claim, Ownership


class Cases(Routines):
    """The people to be called."""

    def claim(
        self,
        owner: Ownership,
        project_id: str,
        count: int,
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> list[Claim]:
        """Claim up to `count` more cases, in dial order. Raises StatementTimedOut."""
        rows = self._database.call(
            "dialer_claim",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            project_id,
            count,
            now,
            timeout_seconds=timeout_seconds,
        )
        return [
            Claim(row["case_id"], row["kind"], bool(row["guarded"]), row["dials"], row["last_outcome"]) for row in rows
        ]

    def release(self, owner: Ownership, project_id: str | None = None, *, timeout_seconds: float | None = None) -> int:
        """Give back what was claimed on an Asterisk and not dialled, of one project or of all; how many cases."""
        freed = self._database.value(
            "dialer_release", owner.worker_id, owner.asterisk, project_id, timeout_seconds=timeout_seconds
        )
        return int(freed or 0)

    def screen(self, count: int, now: datetime | None) -> int:
        """Look at up to `count` cases, or somewhat more, ahead of the claims: their numbers, and which of them rules
        hold. 0: there is nothing more to look at for now."""
        return int(self._database.value("dialer_screen", count, now) or 0)

    def insert(self, cases: Sequence[Mapping[str, Any]]) -> None:
        """Insert cases as a DBA would, in one transaction: columns of dialer_clients by name, the same in each; at
        least one case."""
        light = table("dialer_clients", *map(column, cases[0]))
        self._database.run(lambda connection: connection.execute(insert(light), [dict(case) for case in cases]))

    def count(self) -> int:
        """How many cases there are in all projects; reads every row."""
        return int(self._database.query("SELECT count(*) AS n FROM dialer_clients")[0]["n"])

    def call_windows(self) -> dict[str, int]:
        """By project: how many different call windows its unused cases have; reads every row."""
        rows = self._database.query(
            "SELECT project_id, COUNT(DISTINCT window_key) AS windows FROM dialer_clients"
            " WHERE NOT used GROUP BY project_id ORDER BY project_id"
        )
        return {row["project_id"]: int(row["windows"]) for row in rows}
