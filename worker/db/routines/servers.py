"""The server that the database is on: whether calls may be begun from it, and how it is set up."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.db import servers
from worker.db.routines.base import Routines
from worker.errors import Mistake


class Servers(Routines):
    """The servers that calls may be begun from (dialer_servers), this server, and the zone that it was set up in."""

    def version(self) -> str:
        """This server's product and version, as in 'PostgreSQL 15.14'."""
        return str(self._database.query("SELECT version() AS version")[0]["version"]).split(" on ")[0]

    def zone(self) -> str | None:
        """The zone for cases without utc in projects without zone (IANA name or offset); None: it is not set."""
        rows = self._database.query("SELECT value FROM dialer_settings WHERE name = 'server_zone'")
        return rows[0]["value"] if rows else None

    def names(self) -> list[str]:
        """The names by which this server may be known."""
        return self._database.run(lambda one: self._database.dialect.identities(one, self._database.settings))

    def fault(self) -> Mistake | None:
        """Why no call may be begun from this server; None: it is listed, so calls may."""
        return self._database.run(lambda one: servers.unknown(one, self._database.dialect, self._database.settings))

    def known(self) -> list[str]:
        """All servers that are listed."""
        return [str(row["identity"]) for row in self._database.query("SELECT identity FROM dialer_servers")]

    def know(self, note: str) -> None:
        """List this server, under all its names. note: how it came to be listed, for people."""
        self._database.run(lambda one: servers.know(one, self._database.dialect, self._database.settings, note))


class PostgresqlServer(Routines):
    """Questions that only PostgreSQL can answer."""

    def setting(self, name: str) -> str:
        """A setting of the server, as it holds in this session."""
        return str(self._database.query("SELECT current_setting(:name) AS value", name=name)[0]["value"])

    def compiles(self) -> bool:
        """Would this server compile long queries (jit) in other sessions of our user? Our own switch it off."""

        def asked(connection: Connection) -> bool:
            # pg_jit_available() is true only where jit is on.
            connection.execute(text("SELECT set_config('jit', 'on', true)"))
            usual = "SELECT reset_val = 'on' AND pg_jit_available() FROM pg_settings WHERE name = 'jit'"
            return bool(connection.execute(text(usual)).scalar_one())

        return self._database.run(asked)

    def standbys(self) -> list[str]:
        """The names of the connected standbys, each once; 'unnamed' for one without a name."""
        # A user who may not look into others' sessions still sees that they exist, but not their state.
        rows = self._database.query("SELECT application_name FROM pg_stat_replication")
        return sorted({str(row["application_name"] or "unnamed") for row in rows})


@dataclass(frozen=True)
class MariadbUser:
    """Our user on a MariaDB server. name: quoted, as GRANT takes it. role: the active role; its rights are not among
    these. rights: those on all databases and on ours."""

    name: str
    role: str | None
    rights: frozenset[str]


class MariadbServer(Routines):
    """Questions that only MariaDB can answer."""

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
        """Is SUPER needed to make functions, because there is a binary log?"""
        rows = self._database.query("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators AS guarded")
        return bool(rows[0]["guarded"])

    def flush_at_commit(self) -> int:
        """innodb_flush_log_at_trx_commit; with any value but 1 a crash may lose the last commits."""
        return int(self._database.query("SELECT @@innodb_flush_log_at_trx_commit AS value")[0]["value"])

    def galera(self) -> dict[str, str]:
        """The variables of a Galera cluster by name; empty: the server was built without Galera."""
        rows = self._database.query("SHOW GLOBAL VARIABLES LIKE 'wsrep%'")
        return {row["Variable_name"]: row["Value"] for row in rows}

    def other_sessions(self) -> int:
        """How many sessions of our user are connected to our database, besides this one."""
        # Sessions of other users are hidden.
        rows = self._database.query(
            "SELECT COUNT(*) AS here FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        return int(rows[0]["here"])
