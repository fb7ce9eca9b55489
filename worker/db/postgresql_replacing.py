"""On PostgreSQL all our functions, views and triggers are replaced at once, around a change of tables.

CREATE OR REPLACE cannot change columns or parameters, and a table cannot change under a view, so all our objects are
dropped before the change and made again after it, in one transaction. A DROP also loses a DBA's grants, and is refused
if something of the DBA's depends on the object (a view on a view of ours). So grants are put back. An object that
something depends on stays until it is replaced in place: a function as it is, a view emptied so that it reads nothing.
If it cannot be replaced in place, the migration is refused with the name of what depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.db.objects import FUNCTION, TRIGGER, VIEW, SchemaObject
from worker.db.postgresql_objects import execute, install, secure
from worker.errors import DialerError

# Other parameters or results; other columns.
_CANNOT_REPLACE = {"42P13", "42P16"}

# Functions and views of ours; :functions and :views are their names.
_OURS = """
    SELECT 'function' AS kind, p.proname::text AS name, 'pg_proc'::regclass::oid AS class, p.oid,
        p.oid::regprocedure::text AS identity, pg_get_userbyid(p.proowner)::text AS owner,
        coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = current_schema()
    WHERE p.prokind = 'f' AND p.proname = ANY(:functions)
    UNION ALL
    SELECT 'view', c.relname::text, 'pg_class'::regclass::oid, c.oid, c.oid::regclass::text,
        pg_get_userbyid(c.relowner)::text, coalesce(c.relacl, acldefault('r', c.relowner))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    WHERE c.relkind = 'v' AND c.relname = ANY(:views)
"""
_OUR_TRIGGERS = """
    SELECT t.oid, t.tgname, c.oid::regclass AS watched
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    WHERE NOT t.tgisinternal AND t.tgname = ANY(:triggers)
      -- Ours is named after its table; somebody's archive may have one of the same name.
      AND c.relname = regexp_replace(t.tgname, '_(before|after)_.*$', '')
"""
# What depends directly on each of our objects. In the catalogue it is a view's rule that depends, so the rule counts as
# the view; a function that takes or returns rows of a view depends on their type, which counts as the view, too.
_HANGING = f"""
    WITH ours AS ({_OURS}),
    types AS (
        SELECT t.oid, coalesce(nullif(t.typrelid, 0), e.typrelid) AS relation
        FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE coalesce(nullif(t.typrelid, 0), e.typrelid) <> 0
    ),
    edges AS (
        SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END AS class,
            coalesce(r.ev_class, d.objid) AS oid,
            CASE WHEN t.oid IS NULL THEN d.refclassid ELSE 'pg_class'::regclass::oid END AS refclass,
            coalesce(t.relation, d.refobjid) AS refoid
        FROM pg_depend d
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
        LEFT JOIN types t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
        WHERE d.deptype IN ('n', 'a')
    )
    SELECT DISTINCT o.oid AS on_oid, e.oid, (e.class, e.oid) IN (SELECT class, oid FROM ours) AS is_ours,
        concat_ws(' ', i.type, i.identity) AS hanging
    FROM ours o JOIN edges e ON e.refclass = o.class AND e.refoid = o.oid
    CROSS JOIN pg_identify_object(e.class, e.oid, 0) i
    WHERE (e.class, e.oid) <> (o.class, o.oid)
      AND NOT (e.class = 'pg_trigger'::regclass AND e.oid IN (SELECT oid FROM ({_OUR_TRIGGERS}) t))
    ORDER BY hanging
"""  # noqa: S608 - ours
# Turns a view into one with the same columns that reads nothing.
_EMPTIED = """
    SELECT format('CREATE OR REPLACE VIEW %s AS SELECT %s', c.oid::regclass, string_agg(
        format('NULL::%s%s AS %I', format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, l.collname) END,
            a.attname),
        ', ' ORDER BY a.attnum))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
    WHERE c.oid = ANY(:views)
    GROUP BY c.oid ORDER BY c.oid
"""
# Grants on our objects to others than their owners; not those of the public on functions: `secure` decides these.
_GRANTS = f"""
    WITH ours AS ({_OURS}),
    granted AS (
        SELECT o.kind, o.name, NULL::text AS columns, o.owner, a.*
        FROM ours o CROSS JOIN aclexplode(o.acl) a
        UNION ALL
        SELECT o.kind, o.name, quote_ident(c.attname), o.owner, a.*
        FROM ours o JOIN pg_attribute c ON o.kind = 'view' AND c.attrelid = o.oid
        CROSS JOIN aclexplode(c.attacl) a
    )
    SELECT DISTINCT kind, name, columns, privilege_type AS privilege, is_grantable AS grantable,
        CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee
    FROM granted
    WHERE CASE WHEN grantee = 0 THEN kind = 'view' ELSE pg_get_userbyid(grantee) <> owner END
    ORDER BY kind, name, columns, grantee, privilege
"""  # noqa: S608 - ours


@dataclass(frozen=True)
class _Standing:
    """A function or a view of ours, as installed."""

    kind: str
    name: str
    oid: int
    identity: str
    """Its name; for a function, with the types of its parameters."""
    owner: str


@contextmanager
def replacing(
    connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
) -> Iterator[None]:
    """Drop our objects before the block, make `objects` after it. Raises DialerError if something depends on an object
    that cannot be replaced in place."""
    names = {f"{kind}s": sorted(name for known, name in ours if known == kind) for kind in (FUNCTION, VIEW, TRIGGER)}
    before = _standing(connection, names)
    granted = _grants(connection, names)
    held = _held(connection, names, before)
    triggers = f"SELECT format('DROP TRIGGER %I ON %s', tgname, watched) FROM ({_OUR_TRIGGERS}) t"  # noqa: S608 - ours
    for statement in connection.execute(text(triggers), names).scalars().all():
        execute(connection, statement)
    views = [one.oid for one in before if one.kind == VIEW]
    for statement in connection.execute(text(_EMPTIED), {"views": views}).scalars().all():
        execute(connection, statement)
    for kind in (FUNCTION, VIEW):
        if gone := [one.identity for one in before if one.kind == kind and one.oid not in held]:
            execute(connection, f"DROP {kind.upper()} {', '.join(gone)}")
    yield
    in_place = {(one.kind, one.name): held[one.oid] for one in before if one.oid in held}
    for one in objects:
        try:
            install(connection, [one])
        except DBAPIError as error:
            hanging = in_place.get((one.kind, one.name))
            if hanging is None or getattr(error.orig, "sqlstate", None) not in _CANNOT_REPLACE:
                raise
            raise _refused(one.kind, one.name, hanging) from error
    after = _standing(connection, names)
    _require_gone(before, after, held, objects)
    _give_back(connection, before, after)
    _grant(connection, {(one.kind, one.name) for one in before}, after, granted, _grants(connection, names))
    secure(connection, objects)


def _standing(connection: Connection, names: dict[str, list[str]]) -> list[_Standing]:
    asked = f"SELECT kind, name, oid, identity, owner FROM ({_OURS}) o ORDER BY identity"  # noqa: S608 - ours
    return [_Standing(*row) for row in connection.execute(text(asked), names)]


def _held(connection: Connection, names: dict[str, list[str]], standing: Sequence[_Standing]) -> dict[int, list[str]]:
    """The objects that must stay because something that is not ours depends on them, by oid, with what that is."""
    rows = connection.execute(text(_HANGING), names).all()
    held: dict[int, list[str]] = {}
    for row in rows:
        if not row.is_ours:
            held.setdefault(row.on_oid, []).append(row.hanging)
    functions = {one.oid for one in standing if one.kind == FUNCTION}
    # A function that stays keeps the views whose rows it takes or returns; a view that stays is emptied and keeps
    # nothing.
    for row in rows:
        if row.oid in held and row.oid in functions:
            held.setdefault(row.on_oid, []).extend(held[row.oid])
    return held


def _require_gone(
    before: Sequence[_Standing],
    after: Sequence[_Standing],
    held: dict[int, list[str]],
    objects: Sequence[SchemaObject],
) -> None:
    """An object that had to stay and was not replaced in place is still there, beside its successor or without one."""
    wanted = {(one.kind, one.name) for one in objects}
    new = {(one.kind, one.name) for one in after if one.oid not in {old.oid for old in before}}
    for one in before:
        if one.oid in held and ((one.kind, one.name) not in wanted or (one.kind, one.name) in new):
            raise _refused(one.kind, one.identity, held[one.oid])


def _refused(kind: str, name: str, hanging: Sequence[str]) -> DialerError:
    shown = ", ".join(hanging)
    return DialerError(
        f"The {kind} {name} cannot be replaced: {shown} hangs on it, and what it uses there is no more as it was."
        " Keep the text of that and drop it, run `dialer migrate`, and make it again. Nothing has been changed."
    )


def _give_back(connection: Connection, before: Sequence[_Standing], after: Sequence[_Standing]) -> None:
    owners = {(one.kind, one.name): one.owner for one in before}
    for one in after:
        owner = owners.get((one.kind, one.name), one.owner)
        if owner != one.owner:
            quoted = connection.dialect.identifier_preparer.quote(owner)
            execute(connection, f"ALTER {one.kind.upper()} {one.identity} OWNER TO {quoted}")


def _grants(connection: Connection, names: dict[str, list[str]]) -> set[Any]:
    return set(connection.execute(text(_GRANTS), names).all())


def _grant(
    connection: Connection,
    stood: set[tuple[str, str]],
    standing: Sequence[_Standing],
    before: set[Any],
    after: set[Any],
) -> None:
    """Restore exactly the rights that there were before, without those that default privileges give to new objects."""
    identities: dict[tuple[str, str], list[str]] = {}
    for one in standing:
        identities.setdefault((one.kind, one.name), []).append(one.identity)
    for row in sorted(after - before, key=str):
        if (row.kind, row.name) in stood:
            for identity in identities[row.kind, row.name]:
                execute(connection, f"REVOKE {_right(row)} ON {_place(row, identity)} FROM {row.grantee}")
    for row in sorted(before - after, key=str):
        option = " WITH GRANT OPTION" if row.grantable else ""
        for identity in identities.get((row.kind, row.name), []):
            execute(connection, f"GRANT {_right(row)} ON {_place(row, identity)} TO {row.grantee}{option}")


def _right(row: Any) -> str:
    return f"{row.privilege} ({row.columns})" if row.columns else str(row.privilege)


def _place(row: Any, identity: str) -> str:
    return f"FUNCTION {identity}" if row.kind == FUNCTION else identity
