"""Trunks: making one for a new Asterisk, and which projects need which trunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import column, insert, table

from worker.db.routines.base import Routines, made
from worker.figures import TrunkNeed


class Trunks(Routines):
    """The trunks: ways out of an Asterisk."""

    def ensure(self, asterisk: str, template: str) -> None:
        """Make the trunk 'default' of an Asterisk unless there is one."""
        self._database.call("dialer_trunk_ensure", asterisk, template)

    def insert(self, trunk: Mapping[str, Any]) -> None:
        """Insert a trunk as a DBA would: columns of dialer_trunks by name."""
        light = table("dialer_trunks", *map(column, trunk))
        self._database.run(lambda connection: connection.execute(insert(light), dict(trunk)))

    def needed(self) -> list[TrunkNeed]:
        """A row for each project, ordered by trunk and Asterisk: the trunk that it needs, whether it exists or not."""
        rows = self._database.query(
            "SELECT r.project_id, r.trunk, r.asterisk, t.dial_template, t.state, t.reason FROM dialer_rules r"
            " LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = r.asterisk"
            " ORDER BY r.trunk, r.asterisk, r.project_id"
        )
        return made(TrunkNeed, rows)
