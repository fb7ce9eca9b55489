"""The server that the database lives on: whether calls may be begun from it, and how it is set up."""

from __future__ import annotations

from dataclasses import dataclass

from worker.db import servers
from worker.db.routines.base import Routines
from worker.errors import Mistake


class Servers(Routines):
    """The servers that calls may be begun from (dialer_servers), this one, and the zone that it was set up in."""

    def version(self) -> str:
        """What this server says of itself, as in 'PostgreSQL 15.14'."""
        return str(self._database.query("SELECT version() AS version")[0]["version"]).split(" on ")[0]

    def zone(self) -> str | None:
        """The zone of cases without utc in projects without zone (IANA name or offset); None: it is not set."""
        rows = self._database.query("SELECT value FROM dialer_settings WHERE name = 'server_zone'")
        return rows[0]["value"] if rows else None

    def names(self) -> list[str]:
        """By what this server is known."""
        return self._database.run(lambda one: self._database.dialect.identities(one, self._database.settings))

    def fault(self) -> Mistake | None:
        """Why no call may be begun from this server; None: it is known."""
        return self._database.run(lambda one: servers.unknown(one, self._database.dialect, self._database.settings))

    def known(self) -> list[str]:
        """All servers that are known."""
        return [str(row["identity"]) for row in self._database.query("SELECT identity FROM dialer_servers")]

    def know(self, note: str) -> None:
        """Write this server down, by all its names. note: how it came to be known, for people."""
        self._database.run(lambda one: servers.know(one, self._database.dialect, self._database.settings, note))


class PostgresqlServer(Routines):
    """What only PostgreSQL can be asked."""

    def setting(self, name: str) -> str:
        """A setting of the server, as this session has it."""
        return str(self._database.query("SELECT current_setting(:name) AS value", name=name)[0]["value"])

    def standbys(self) -> list[str]:
        """The names of the standbys that are connected, a name once; 'unnamed' for one that tells none."""
        # Who may not see others' sessions still sees that they are there; of their state, nothing.
        rows = self._database.query("SELECT application_name FROM pg_stat_replication")
        return sorted({str(row["application_name"] or "unnamed") for row in rows})


@dataclass(frozen=True)
class MariadbUser:
    """Who we are on a MariaDB server. name: quoted, as GRANT takes it. role: the one in force, whose rights stand
    elsewhere. rights: those on all databases and on ours."""

    name: str
    role: str | None
    rights: frozenset[str]


class MariadbServer(Routines):
    """What only MariaDB can be asked."""

    def knows_zones(self) -> bool:
        """Are the time zones loaded?"""
        rows = self._database.query("SELECT convert_tz('2026-01-01', '+00:00', 'Europe/Moscow') AS local")
        return rows[0]["local"] is not None

    def user(self) -> MariadbUser:
        """Who we are, and what we may do."""
        user = self._database.query(
            "SELECT concat(quote(substring_index(current_user(), '@', 1)), '@',"
            " quote(substring_index(current_user(), '@', -1))) AS name, current_role() AS role"
        )[0]
        rights = self._database.query(
            "SELECT privilege_type AS granted FROM information_schema.user_privileges WHERE grantee = :user"
            " UNION SELECT privilege_type FROM information_schema.schema_privileges"
            " WHERE grantee = :user AND :schema LIKE table_schema",
            user=user["name"],
            schema=self._database.schema,
        )
        return MariadbUser(user["name"], user["role"], frozenset(row["granted"] for row in rights))

    def guards_functions(self) -> bool:
        """Is SUPER needed to make functions, since there is a binary log?"""
        rows = self._database.query("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators AS guarded")
        return bool(rows[0]["guarded"])

    def flush_at_commit(self) -> int:
        """innodb_flush_log_at_trx_commit; with all but 1 a crash may forget what was committed last."""
        return int(self._database.query("SELECT @@innodb_flush_log_at_trx_commit AS value")[0]["value"])

    def galera(self) -> dict[str, str]:
        """The variables of a Galera cluster by name; empty: the server was built without."""
        rows = self._database.query("SHOW GLOBAL VARIABLES LIKE 'wsrep%'")
        return {row["Variable_name"]: row["Value"] for row in rows}

    def other_sessions(self) -> int:
        """How many sessions of our user are connected to our database, besides this one."""
        # Those of other users are hidden.
        rows = self._database.query(
            "SELECT COUNT(*) AS here FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        return int(rows[0]["here"])
