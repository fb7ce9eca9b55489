"""The database's part of `dialer check`: reachable, at head, zone, clock, durability, projects and warnings."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dialer.finding import Finding, clock, fault, fine, look
from worker.db import Database, mariadb
from worker.db.database import cause
from worker.db.routines.cases import Cases
from worker.db.routines.instants import DatabaseClock
from worker.db.routines.owners import Owners
from worker.db.routines.servers import MariadbServer, PostgresqlServer, Servers
from worker.db.routines.trunks import Trunks
from worker.db.routines.upkeep import Upkeep
from worker.errors import DatabaseNotAtHead, DatabaseRefused, DatabaseUnavailable, DatabaseUnfit

MANY_WINDOWS = 1000
"""With more call windows than this in a project, every claim takes noticeably longer, as it probes each."""
_SHOWN = 20


def reach(database: Database) -> tuple[bool, list[Finding]]:
    """Is there a database that we can work with? If so, all findings about it."""
    subject = f"database {database.where}"
    found: list[Finding] = []
    began = time.monotonic()
    try:
        version = Servers(database).version()
        took = time.monotonic() - began
        found.append(fine(subject, f"{version} answers, connection included, in {took * 1000:.0f} ms"))
        if not database.settings.is_postgresql:
            found += _prepared_mariadb(database)
        database.require_fit()
    except DatabaseUnfit as error:
        return False, [*found, *(fault(one.name, one.fault, one.remedy) for one in error.mistakes)]
    except DatabaseRefused as error:
        return False, [*found, fault(subject, f"cannot be used: {error.reason}", error.remedy)]
    except DatabaseUnavailable as error:
        if error.__cause__ is not None and database.dialect.is_schema_missing(cause(error.__cause__)):
            return False, [fault("schema", f"there is no database {database.schema!r} yet", "Run `dialer migrate`.")]
        remedy = "Look whether the server runs and listens there; then at [database] and the user's rights."
        return False, [*found, fault(subject, f"cannot be reached: {error.reason}", remedy)]
    except DatabaseNotAtHead as error:
        return False, [*found, fault("schema", str(error).removesuffix(f". {error.remedy}"), error.remedy)]
    return True, [
        *found,
        fine("schema", f"{database.schema!r} is at head ({database.revision()}), and nothing is missing"),
        fine("server", "is one of those that dialer_servers knows"),
    ]


def _prepared_mariadb(database: Database) -> Iterator[Finding]:
    """Settings that a server needs before the first migration and the first INSERT."""
    server = MariadbServer(database)
    if not server.knows_zones():
        remedy = (
            "Load them: mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql. Offsets like +03.00h work always."
        )
        yield look("time zones", "this server knows none by its name, so cases and projects cannot name one", remedy)
    user = server.user()
    lacking = [one for one in mariadb.GRANTS.split(", ") if one not in user.rights]
    if lacking and user.role is None:  # a role's rights are listed elsewhere
        remedy = f"GRANT {mariadb.GRANTS} ON `{database.schema}`.* TO {user.name};"
        yield look("rights", f"the user lacks {', '.join(lacking)} on {database.schema!r}", remedy)
    if server.guards_functions() and "SUPER" not in user.rights:
        remedy = "Set log_bin_trust_function_creators = 1 in the server's configuration, and at once by `SET GLOBAL`."
        text = "beside a binary log this server lets nobody without SUPER make functions, so `dialer migrate` cannot"
        yield look("rights", text, remedy)


def look_around(database: Database) -> Iterator[Finding]:
    """Zone, clock, windows, and faults that the database itself reports."""
    if zone := Servers(database).zone():
        yield fine("server zone", f"{zone}: the zone of cases without utc in projects without zone")
    else:
        remedy = "Insert it into dialer_settings: name 'server_zone', value like 'Europe/Moscow'."
        yield fault("server zone", "is not set, so a case without utc has no local time", remedy)
    yield _clock(database)
    if database.settings.is_postgresql:
        yield from _durable_postgresql(database)
        yield from _compiling(database)
    else:
        yield from _durable_mariadb(database)
    for project, windows in Cases(database).call_windows().items():
        if windows > MANY_WINDOWS:
            remedy = "Let cases share allowed_start, allowed_stop and utc; each window costs every claim a probe."
            yield look(f"project {project}", f"its cases have {windows} call windows", remedy)
    yield from _listed(database)


def _clock(database: Database) -> Finding:
    began = time.time()
    now = DatabaseClock(database).now()
    ended = time.time()
    return clock("database", now.timestamp() - (began + ended) / 2, (ended - began) / 2)


def _durable_postgresql(database: Database) -> Iterator[Finding]:
    """Is a commit kept, whatever dies? If a permission to dial is forgotten, the call is made twice."""
    server = PostgresqlServer(database)
    settings = {name: server.setting(name) for name in ("fsync", "synchronous_commit", "synchronous_standby_names")}
    for name in ("fsync", "synchronous_commit"):
        if settings[name] == "off":
            remedy = f"Set {name} = on in postgresql.conf: what was dialled last may be dialled again."
            yield look("durability", f"{name} is off, so a crash forgets what was committed last", remedy)
    names = ", ".join(server.standbys())
    if not names:
        return
    if settings["synchronous_standby_names"].strip() and settings["synchronous_commit"] not in ("off", "local"):
        yield fine("standbys", f"{names}: a commit waits for {settings['synchronous_standby_names']}")
        return
    remedy = (
        f"Set synchronous_standby_names = 'ANY 1 ({names})' on the primary, and synchronous_commit = on;"
        " docs/operation.md, Failover."
    )
    text = f"{names}: no commit waits for one, so a failover may forget the last attempts, and dial them again"
    yield look("standbys", text, remedy)


def _compiling(database: Database) -> Iterator[Finding]:
    """The views are long and quick: to compile them takes ten times as long as to answer."""
    if PostgresqlServer(database).compiles():
        remedy = "Set it off for this user, and for each one that reads the views: docs/database.md, Rights."
        yield look("jit", "is on outside the dialer, so dialer_why and other views take ten seconds to answer", remedy)


def _durable_mariadb(database: Database) -> Iterator[Finding]:
    """The same for MariaDB; and is it a Galera cluster, whose nodes do not know each other's locks?"""
    server = MariadbServer(database)
    flush = server.flush_at_commit()
    if flush != 1:
        remedy = "Set innodb_flush_log_at_trx_commit = 1: what was dialled last may be dialled again."
        text = f"innodb_flush_log_at_trx_commit is {flush}, so a crash may forget what was committed last"
        yield look("durability", text, remedy)
    cluster = server.galera()
    if cluster.get("wsrep_on", "OFF") not in ("ON", "1"):
        return
    node = (
        f"this is node {cluster.get('wsrep_node_name') or 'unnamed'} of the cluster {cluster.get('wsrep_cluster_name')}"
    )
    remedy = (
        "Let all workers and the API write to one node: name it in DB_Server, or a proxy that sends all writes to one"
        " and changes over when it dies; docs/operation.md, Galera."
    )
    workers = len(Owners(database).live_workers())
    if workers and not server.other_sessions():
        # Sessions of other users are hidden, but the workers use the user of these settings.
        yield fault("Galera", f"{node}, and the {workers} live workers write to another one", remedy)
    else:
        yield look("Galera", f"{node}, and a lock on one node is not known to the others", remedy)


def _listed(database: Database) -> Iterator[Finding]:
    upkeep = Upkeep(database)
    broken = upkeep.invariants()
    for one in broken[:_SHOWN]:
        remedy = "This must never be; keep the logs and report it. Dialling goes on."
        yield fault(f"invariant {one.kind}", f"{one.id}: {one.detail}", remedy)
    if not broken:
        yield fine("invariants", "dialer_invariants is empty, as it must be")
    warnings = upkeep.warnings()
    for warning in warnings[:_SHOWN]:
        yield look(f"warning {warning.kind}", warning.detail, _sentence(warning.remedy))
    if len(warnings) > _SHOWN or len(broken) > _SHOWN:
        remedy = "SELECT * FROM dialer_warnings; SELECT * FROM dialer_invariants;"
        yield look("more", f"{len(warnings)} warnings and {len(broken)} broken invariants in all", remedy)
    if not warnings:
        yield fine("warnings", "dialer_warnings is empty")


def trunks(database: Database) -> Iterator[Finding]:
    """Every project's trunk has a row."""
    told = set()
    for need in Trunks(database).needed():
        subject = f"trunk {need.trunk} on {need.asterisk}"
        if need.dial_template is None:
            said = f"has no row in dialer_trunks, and project {need.project_id} needs it"
            if need.trunk == "default":
                yield look(subject, said, "It is made when a worker first starts; correct its dial_template then.")
            else:
                yield fault(subject, said, "Insert it, or change dialer_params.trunk.")
        elif subject not in told and need.state == "ok":
            yield fine(subject, f"dials {need.dial_template}")
        told.add(subject)  # a failing trunk is among the warnings


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
