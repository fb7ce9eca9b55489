"""Rules as rows: presets written and taken back, which rules bind a project, and rows made from libraries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    TableClause,
    column,
    delete,
    func,
    insert,
    or_,
    select,
    table,
    update,
)

from sql import LIBRARY
from worker.db.migration import fill
from worker.db.routines.base import Routines, columns, made
from worker.errors import UnknownProject
from worker.figures import AppliedPreset, Renewed, RuleCount, RuledProject

PRESET_TABLES = ("dialer_hours", "dialer_limits", "dialer_pauses")
"""The tables of rules into which presets write."""

_MADE = {"dialer_countries": None, "dialer_prefixes": "prefix", "dialer_holidays": "region, day"}
"""The tables with rows made from libraries, and the key by which people's own rows (source 'own') go before these."""


@dataclass(frozen=True)
class Scope:
    """What a preset is applied to: a project, a client's projects, or all."""

    project_id: str | None = None
    client: str | None = None

    def where(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """The rows of exactly this scope."""
        return (
            column("project_id").is_not_distinct_from(self.project_id),
            column("client").is_not_distinct_from(self.client),
        )


@dataclass(frozen=True)
class Written:
    """What applying a preset changed. replaced: rows of an earlier time; by_number: projects that go by the zone of the
    number from now on; scrubbed: projects whose list may be used for fewer days than before."""

    rows: int
    replaced: int
    by_number: list[str]
    scrubbed: list[str]


class Rules(Routines):
    """The tables of rules, for people."""

    def apply(
        self,
        preset: Mapping[str, Any],
        rows: Mapping[str, Sequence[Mapping[str, Any]]],
        scope: Scope,
        *,
        purposes: Collection[str] = (),
        by_number: bool = False,
        scrub_days: int | None = None,
    ) -> Written:
        """Write a preset, in place of what an earlier time wrote for the same scope, in one transaction.

        preset: columns of dialer_presets. rows: by table, columns of its rows, the same in each. Projects in its scope
        with one of these purposes (none: with any) get zone_by 'number' (by_number), and scrub_days unless theirs are
        fewer. Raises UnknownProject.
        """

        def work(connection: Connection) -> Written:
            self._require(connection, scope)
            replaced = _delete(connection, preset["preset"], scope)
            own = {"project_id": scope.project_id, "client": scope.client}
            for name, some in rows.items():
                if some:
                    light = table(name, *map(column, own | dict(some[0])))
                    connection.execute(insert(light), [own | dict(one) for one in some])
            values = own | dict(preset)
            connection.execute(insert(table("dialer_presets", *map(column, values))), values)
            params = table("dialer_params", *map(column, ("project_id", "client", "purpose", "zone_by", "scrub_days")))
            about: list[ColumnElement[bool]] = [params.c.purpose.in_(purposes)] if purposes else []
            if scope.project_id is not None:
                about.append(params.c.project_id == scope.project_id)
            if scope.client is not None:
                about.append(params.c.client == scope.client)
            zoned: list[str] = []
            scrubbed: list[str] = []
            if by_number:
                zoned = _set(connection, params, [*about, params.c.zone_by == "project"], {"zone_by": "number"})
            if scrub_days is not None:
                longer = or_(params.c.scrub_days.is_(None), params.c.scrub_days > scrub_days)
                scrubbed = _set(connection, params, [*about, longer], {"scrub_days": scrub_days})
            return Written(sum(map(len, rows.values())), replaced, zoned, scrubbed)

        return self._database.run(work)

    def remove(self, preset: str, scope: Scope) -> int | None:
        """Take back what a preset wrote for this scope; how many rows. None: it was not applied to it."""

        def work(connection: Connection) -> int | None:
            there = select(func.count()).select_from(table("dialer_presets"))
            applied = connection.execute(there.where(column("preset") == preset, *scope.where())).scalar()
            removed = _delete(connection, preset, scope)
            return removed if applied or removed else None

        return self._database.run(work)

    def applied(self) -> list[AppliedPreset]:
        """The presets that were applied, by name, and to what."""
        rows = self._database.query(
            f"SELECT {columns(AppliedPreset)} FROM dialer_presets ORDER BY preset, project_id, client, id"  # noqa: S608
        )
        return made(AppliedPreset, rows)

    def projects(self) -> list[RuledProject]:
        """All projects, by id."""
        rows = self._database.query(
            "SELECT p.project_id, r.type, p.client, p.purpose, p.zone_by, r.abandon_target, r.dial_seconds,"
            " p.scrub_days, coalesce(r.list_until <= dialer_now(), false) AS list_is_old"
            " FROM dialer_params p JOIN dialer_rules r ON r.project_id = p.project_id ORDER BY p.project_id"
        )
        return made(RuledProject, rows)

    def binding(self) -> list[RuleCount]:
        """How many rows bind cases of each project, by table and preset; which case, its region decides."""
        found: list[RuleCount] = []
        for name in PRESET_TABLES:
            rows = self._database.query(
                f"SELECT p.project_id, '{name.removeprefix('dialer_')}' AS kind, r.preset, count(*) AS n"  # noqa: S608
                f" FROM dialer_params p JOIN {name} r ON (r.project_id IS NULL OR r.project_id = p.project_id)"
                " AND (r.client IS NULL OR r.client = p.client) AND (r.purpose IS NULL OR r.purpose = p.purpose)"
                " GROUP BY p.project_id, r.preset ORDER BY p.project_id, r.preset"
            )
            found += [RuleCount(row["project_id"], row["kind"], row["preset"], int(row["n"])) for row in rows]
        return found

    def holidays_until(self) -> dict[str, date]:
        """By country: the last public holiday that is known."""
        rows = self._database.query(
            "SELECT left(region, 2) AS country, max(day) AS last FROM dialer_holidays GROUP BY left(region, 2)"
        )
        return {row["country"]: row["last"] for row in rows}

    def renew(self) -> list[Renewed]:
        """Make the rows that come from libraries those of this program, in one transaction. People's own rows stay, and
        go before a row of the program with the same key."""
        return self._database.run(lambda connection: [_renew(connection, *one) for one in _MADE.items()])

    def _require(self, connection: Connection, scope: Scope) -> None:
        if scope.project_id is None:
            return
        projects = select(func.count()).select_from(table("dialer_params"))
        if not connection.execute(projects.where(column("project_id") == scope.project_id)).scalar():
            raise UnknownProject(scope.project_id)


def _delete(connection: Connection, preset: str, scope: Scope) -> int:
    removed = 0
    for name in (*PRESET_TABLES, "dialer_presets"):
        rows = connection.execute(delete(table(name)).where(column("preset") == preset, *scope.where()))
        removed += rows.rowcount if name != "dialer_presets" else 0
    return removed


def _set(
    connection: Connection, params: TableClause, where: Sequence[ColumnElement[bool]], values: Mapping[str, Any]
) -> list[str]:
    """Write values into the rows of dialer_params that the conditions name; their projects."""
    found = connection.execute(select(params.c.project_id).where(*where).order_by(params.c.project_id))
    projects = [str(one) for one in found.scalars()]
    if projects:
        connection.execute(update(params).where(params.c.project_id.in_(projects)).values(values))
    return projects


def _renew(connection: Connection, name: str, key: str | None) -> Renewed:
    rows = LIBRARY.data(name)
    if key is None:
        fill(connection, LIBRARY, name)
        return Renewed(name, len(rows), 0, 0)
    fill(connection, LIBRARY, name, "source = 'own'", key)
    counted = select(func.count()).select_from(table(name))
    own = int(connection.execute(counted.where(column("source") == "own")).scalar_one())
    unknown = 0
    if name == "dialer_prefixes":
        without = select(column("prefix", String)).select_from(table(name))
        without = without.where(column("zones").is_(None), column("source") != "own")
        zoned = {row["prefix"] for row in rows if row["zones"]}
        unknown = sum(prefix in zoned for prefix in connection.execute(without).scalars())
    return Renewed(name, int(connection.execute(counted).scalar_one()), own, unknown)
