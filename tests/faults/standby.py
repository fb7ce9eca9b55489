"""Two PostgreSQL servers: a primary whose commits wait for its standby, and the standby."""

from __future__ import annotations

import secrets
from typing import Self

from sqlalchemy import URL, make_url

from tests.support.containers import PostgresContainer
from tests.support.waiting import wait_for

_STANDBY = "standby"


class _Standby(PostgresContainer):
    """Starts as a copy of another server's files, which must stand still then, and follows it."""

    def __init__(self, primary: PostgresContainer, password: str) -> None:
        super().__init__(durable=True)
        self._password = password
        self.with_envs(
            PGPASSWORD=password,
            PGDATA="/var/lib/postgresql/standby",
            SOURCE="/var/lib/postgresql/data",
            PRIMARY=f"host=127.0.0.1 port={primary.port} user={self._username} application_name={_STANDBY}",
        )
        copy = (
            'cp -a "$SOURCE" "$PGDATA" && rm -f "$PGDATA/postmaster.pid" && touch "$PGDATA/standby.signal"'
            ' && exec entrypoint.sh -c "primary_conninfo=$PRIMARY" "$@"'
        )
        self.with_kwargs(
            network_mode="host",
            labels=self._kwargs["labels"],
            volumes_from=[primary.get_wrapped_container().id],
            entrypoint=["sh", "-euc", copy, "sh"],
        )


class PostgresPair:
    """A primary with quorum commit and its standby: what is committed is on both."""

    def __init__(self) -> None:
        self.primary = PostgresContainer(durable=True)
        self.standby: PostgresContainer | None = None

    def __enter__(self) -> Self:
        self.primary.start()
        try:
            password = make_url(self.primary.url).password
            assert password is not None
            self.primary.get_wrapped_container().stop(timeout=20)
            self.standby = _Standby(self.primary, password)
            self.standby.start()
            self.primary.start_again()
            # Not before: a commit would wait for a standby that is not there. And of the primary alone: the standby
            # has nobody to wait for once it is promoted.
            self._wait_for(f"ANY 1 ({_STANDBY})", "quorum")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.standby is not None:
            self.standby.stop()
        self.primary.stop()

    def create(self) -> str:
        """The name of a new database on both."""
        name = f"test_{secrets.token_hex(6)}"
        with self.primary.databases().connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def promote(self) -> None:
        """The standby becomes the primary; returns when it takes writes."""
        assert self.standby is not None
        with self.standby.databases().connect() as connection:
            connection.execute("SELECT pg_promote()")

    def wait_for_nobody(self) -> None:
        """From now on commits wait for no standby."""
        self._wait_for("", "async")

    def primary_url(self, name: str) -> str:
        """For who talks to the primary alone."""
        return _render(make_url(self.primary.url).set(database=name))

    def standby_url(self, name: str) -> str:
        """For who talks to the standby alone."""
        assert self.standby is not None
        return _render(make_url(self.standby.url).set(database=name))

    def both_urls(self, name: str) -> str:
        """What an operator writes: both hosts, and the one that takes writes is wanted."""
        assert self.standby is not None
        hosts = tuple(f"127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        url = make_url(self.primary.url).set(database=name, host=None, port=None)
        return _render(url.set(query={"host": hosts, "target_session_attrs": "read-write"}))

    def _wait_for(self, names: str, state: str) -> None:
        with self.primary.databases().connect() as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
            connection.execute("SELECT pg_reload_conf()")

            def states() -> list[str]:
                return [row[0] for row in connection.execute("SELECT sync_state FROM pg_stat_replication")]

            wait_for(lambda: states() == [state], 30, lambda: f"the standby to be {state}; it is {states()}")


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)
