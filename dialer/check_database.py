"""The database's part of `dialer check`: reachable, at head, zone, clock, durability, projects and warnings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dialer.finding import Finding, clock, fault, fine, look
from worker.db import Database, mariadb
from worker.db.database import cause
from worker.errors import DatabaseNotAtHead, DatabaseRefused, DatabaseUnavailable, DatabaseUnfit

MANY_WINDOWS = 1000
"""More call windows in a project than that cost every claim a noticeable time: it probes each."""
_SHOWN = 20


@dataclass(frozen=True)
class Project:
    """What a project needs from its Asterisk."""

    project_id: str
    type: str
    asterisk: str
    queue: str
    context: str
    exten: str | None
    wanted: bool
    """Somebody asked for it to run: then a fault of its is a fault of ours."""

    @property
    def serves_agents(self) -> bool:
        return self.type != "autoinforming"


def reach(database: Database) -> tuple[bool, list[Finding]]:
    """Is there a database that we can work with? And what can be said of it."""
    subject = f"database {database.where}"
    found: list[Finding] = []
    began = time.monotonic()
    try:
        version = str(database.query("SELECT version() AS version")[0]["version"]).split(" on ")[0]
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
    """What a server has to be told before the first migration and the first INSERT."""
    if database.query("SELECT convert_tz('2026-01-01', '+00:00', 'Europe/Moscow') AS local")[0]["local"] is None:
        remedy = (
            "Load them: mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql. Offsets like +03.00h work always."
        )
        yield look("time zones", "this server knows none by its name, so cases and projects cannot name one", remedy)
    user = database.query(
        "SELECT concat(quote(substring_index(current_user(), '@', 1)), '@',"
        " quote(substring_index(current_user(), '@', -1))) AS name, current_role() AS role"
    )[0]
    rights = {
        row["granted"]
        for row in database.query(
            "SELECT privilege_type AS granted FROM information_schema.user_privileges WHERE grantee = :user"
            " UNION SELECT privilege_type FROM information_schema.schema_privileges"
            " WHERE grantee = :user AND :schema LIKE table_schema",
            user=user["name"],
            schema=database.schema,
        )
    }
    lacking = [one for one in mariadb.GRANTS.split(", ") if one not in rights]
    if lacking and user["role"] is None:  # what a role may do stands elsewhere
        remedy = f"GRANT {mariadb.GRANTS} ON `{database.schema}`.* TO {user['name']};"
        yield look("rights", f"the user lacks {', '.join(lacking)} on {database.schema!r}", remedy)
    guarded = database.query("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators AS guarded")[0]["guarded"]
    if guarded and "SUPER" not in rights:
        remedy = "Set log_bin_trust_function_creators = 1 in the server's configuration, and at once by `SET GLOBAL`."
        text = "beside a binary log this server lets nobody without SUPER make functions, so `dialer migrate` cannot"
        yield look("rights", text, remedy)


def look_around(database: Database) -> Iterator[Finding]:
    """Zone, clock, windows, and what the database itself knows to be wrong."""
    zones = database.query("SELECT value FROM dialer_settings WHERE name = 'server_zone'")
    zone = zones[0]["value"] if zones else None
    if zone:
        yield fine("server zone", f"{zone}: the zone of cases without utc in projects without zone")
    else:
        remedy = "Insert it into dialer_settings: name 'server_zone', value like 'Europe/Moscow'."
        yield fault("server zone", "is not set, so a case without utc has no local time", remedy)
    yield _clock(database)
    yield from (_durable_postgresql if database.settings.is_postgresql else _durable_mariadb)(database)
    counts = database.query(
        "SELECT project_id, COUNT(DISTINCT window_key) AS windows FROM dialer_clients"
        " WHERE NOT used GROUP BY project_id ORDER BY project_id"
    )
    for row in counts:
        if row["windows"] > MANY_WINDOWS:
            remedy = "Let cases share allowed_start, allowed_stop and utc; each window costs every claim a probe."
            yield look(f"project {row['project_id']}", f"its cases have {row['windows']} call windows", remedy)
    yield from _listed(database)


def _clock(database: Database) -> Finding:
    began = time.time()
    now: datetime = database.query("SELECT dialer_now() AS now")[0]["now"]
    ended = time.time()
    if now.tzinfo is None:  # MariaDB's, in our session's zone
        now = now.replace(tzinfo=UTC)
    return clock("database", now.timestamp() - (began + ended) / 2, (ended - began) / 2)


def _durable_postgresql(database: Database) -> Iterator[Finding]:
    """Is what is committed kept, whatever dies? A permission to dial that is forgotten is a call made twice."""
    settings = {
        name: str(database.query(f"SELECT current_setting('{name}') AS value")[0]["value"])
        for name in ("fsync", "synchronous_commit", "synchronous_standby_names")
    }
    for name in ("fsync", "synchronous_commit"):
        if settings[name] == "off":
            remedy = f"Set {name} = on in postgresql.conf: what was dialled last may be dialled again."
            yield look("durability", f"{name} is off, so a crash forgets what was committed last", remedy)
    # Who may not see others' sessions still sees that they are there; of their state, nothing.
    standbys = database.query("SELECT application_name, sync_state FROM pg_stat_replication ORDER BY application_name")
    if not standbys:
        return
    names = ", ".join(sorted({str(row["application_name"] or "unnamed") for row in standbys}))
    if settings["synchronous_standby_names"].strip() and settings["synchronous_commit"] not in ("off", "local"):
        yield fine("standbys", f"{names}: a commit waits for {settings['synchronous_standby_names']}")
        return
    remedy = (
        f"Set synchronous_standby_names = 'ANY 1 ({names})' on the primary, and synchronous_commit = on;"
        " docs/operation.md, Failover."
    )
    text = f"{names}: no commit waits for one, so a failover may forget the last attempts, and dial them again"
    yield look("standbys", text, remedy)


def _durable_mariadb(database: Database) -> Iterator[Finding]:
    """The same; and a Galera cluster, whose nodes do not know each other's locks."""
    flush = database.query("SELECT @@innodb_flush_log_at_trx_commit AS value")[0]["value"]
    if int(flush) != 1:
        remedy = "Set innodb_flush_log_at_trx_commit = 1: what was dialled last may be dialled again."
        text = f"innodb_flush_log_at_trx_commit is {flush}, so a crash may forget what was committed last"
        yield look("durability", text, remedy)
    # A server that was built without Galera has no such variable.
    cluster = {row["Variable_name"]: row["Value"] for row in database.query("SHOW GLOBAL VARIABLES LIKE 'wsrep%'")}
    if cluster.get("wsrep_on", "OFF") not in ("ON", "1"):
        return
    node = (
        f"this is node {cluster.get('wsrep_node_name') or 'unnamed'} of the cluster {cluster.get('wsrep_cluster_name')}"
    )
    remedy = (
        "Let all workers and the API write to one node: name it in DB_Server, or a proxy that sends all writes to one"
        " and changes over when it dies; docs/operation.md, Galera."
    )
    workers = database.query(
        "SELECT COUNT(*) AS live FROM dialer_workers WHERE stopped_at IS NULL AND lease_until > SYSDATE(6)"
    )[0]["live"]
    here = database.query(
        "SELECT COUNT(*) AS here FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    )[0]["here"]
    if workers and not here:
        # Sessions of other users are hidden, but the workers' user is the one of these settings.
        yield fault("Galera", f"{node}, and the {workers} live workers write to another one", remedy)
    else:
        yield look("Galera", f"{node}, and a lock on one node is not known to the others", remedy)


def _listed(database: Database) -> Iterator[Finding]:
    broken = database.query("SELECT kind, id, detail FROM dialer_invariants")
    for row in broken[:_SHOWN]:
        remedy = "This must never be; keep the logs and report it. Dialling goes on."
        yield fault(f"invariant {row['kind']}", f"{row['id']}: {row['detail']}", remedy)
    if not broken:
        yield fine("invariants", "dialer_invariants is empty, as it must be")
    warnings = database.query("SELECT kind, id, detail, remedy FROM dialer_warnings")
    for row in warnings[:_SHOWN]:
        yield look(f"warning {row['kind']}", str(row["detail"]), _sentence(str(row["remedy"])))
    if len(warnings) > _SHOWN or len(broken) > _SHOWN:
        remedy = "SELECT * FROM dialer_warnings; SELECT * FROM dialer_invariants;"
        yield look("more", f"{len(warnings)} warnings and {len(broken)} broken invariants in all", remedy)
    if not warnings:
        yield fine("warnings", "dialer_warnings is empty")


def projects(database: Database) -> list[Project]:
    """All projects, with what they need from their Asterisk."""
    rows = database.query(
        "SELECT r.project_id, r.type, r.asterisk, r.queue, r.context, r.exten, p.wanted FROM dialer_rules r"
        " LEFT JOIN dialer_projects p ON p.project_id = r.project_id ORDER BY r.project_id"
    )
    return [Project(**{**row, "wanted": row["wanted"] == "start"}) for row in rows]


def trunks(database: Database) -> Iterator[Finding]:
    """Every project's trunk has a row."""
    rows = database.query(
        "SELECT r.project_id, r.trunk, r.asterisk, t.dial_template, t.state, t.reason FROM dialer_rules r"
        " LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = r.asterisk"
        " ORDER BY r.trunk, r.asterisk, r.project_id"
    )
    told = set()
    for row in rows:
        subject = f"trunk {row['trunk']} on {row['asterisk']}"
        if row["dial_template"] is None:
            said = f"has no row in dialer_trunks, and project {row['project_id']} needs it"
            if row["trunk"] == "default":
                yield look(subject, said, "It is made when a worker first starts; correct its dial_template then.")
            else:
                yield fault(subject, said, "Insert it, or change dialer_params.trunk.")
        elif subject not in told and row["state"] == "ok":
            yield fine(subject, f"dials {row['dial_template']}")
        told.add(subject)  # a failing one stands among the warnings


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
