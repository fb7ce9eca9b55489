"""The settings: one frozen tree, out of a TOML file (or the original's four JSON files) and the environment.

    [database]  Driver Port DB_Server DB_Name Scheme Username Password, or url;
                Conn_Max_Lifetime (minutes) Max_Open_Conns Max_Idle_Conns
    [ami]       Ip Port Timeout (seconds) Username Password Tls Tls_Ca     the Asterisk called 'default'
    [asterisk.NAME]  as [ami]                                              further ones
    [http]      Ip Port Names
    [log]       loglevel (1 ERROR, 2 and INFO, 3 and DEBUG)
    [worker]    Name Lease_Seconds Poll_Seconds

Names are the original's, in any case. A variable DIALER_SECTION_NAME (DIALER_DATABASE_DB_SERVER,
DIALER_ASTERISK_EAST_IP) replaces what the file says; DIALER_LOGLEVEL is short for DIALER_LOG_LOGLEVEL.
`load` reports all mistakes at once. It never shows a password, nor the value of a name that it does not know
(it may be a password under a misspelt name), nor more of a url than its scheme.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from worker.config_reader import URL_PARTS, Given, Reader, Secret
from worker.errors import SettingsError

__all__ = [
    "MARIADB",
    "POSTGRESQL",
    "AsteriskSettings",
    "DatabaseSettings",
    "HttpSettings",
    "Secret",
    "Settings",
    "WorkerSettings",
    "load",
]

POSTGRESQL = "postgresql+psycopg"
MARIADB = "mariadb+pymysql"  # with mysql+ Alembic believes that it talks to MySQL
DRIVERS = {
    "pgx": POSTGRESQL,
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
    POSTGRESQL: POSTGRESQL,
    "mysql": MARIADB,
    "mariadb": MARIADB,
    "mysql+pymysql": MARIADB,
    MARIADB: MARIADB,
}


@dataclass(frozen=True)
class DatabaseSettings:
    """Where the database is and how many connections may be held."""

    driver: str
    """SQLAlchemy's name: postgresql+psycopg or mariadb+pymysql."""
    host: str
    """DB_Server; of a comma list the first one that takes writes. Empty: the driver's default."""
    port: int
    name: str
    """DB_Name."""
    schema: str
    """Scheme: on PostgreSQL the schema, on MariaDB the database that holds the tables."""
    username: str
    password: Secret
    conn_max_lifetime_minutes: int = 30
    """0: connections are reused for ever."""
    max_open_conns: int = 20
    """0: no limit."""
    max_idle_conns: int = 5
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, repr=False)
    """What stood behind the url's question mark, for the driver."""

    @property
    def is_postgresql(self) -> bool:
        return self.driver == POSTGRESQL

    def where(self) -> str:
        """For messages: which database this is, without anything secret; on MariaDB the one that holds the tables."""
        place = self.host or _joined(self.query.get("host", "localhost"))
        port = "" if "host" in self.query and not self.host else f":{self.port}"
        return f"{(self.name if self.is_postgresql else self.schema)!r} at {place}{port}"

    def url(self) -> URL:
        """For create_engine. Its str() hides the password."""
        host: str | None = self.host or None
        port: int | None = self.port if host else None
        query = dict(self.query)
        if host and "," in host and self.is_postgresql:
            # Several servers: libpq takes the first one that accepts writes.
            query["host"] = tuple(f"{one.strip()}:{self.port}" for one in host.split(","))
            query.setdefault("target_session_attrs", "read-write")
            host = port = None
        return URL.create(
            self.driver,
            username=self.username or None,
            password=self.password.reveal() or None,
            host=host,
            port=port,
            database=self.name if self.is_postgresql else self.schema,
            query=query,
        )

    def pool(self) -> dict[str, Any]:
        """The original's pool parameters as arguments of create_engine (QueuePool)."""
        # pool_size 0 would mean "no limit" to SQLAlchemy, while Max_Idle_Conns 0 asks for the fewest.
        size = max(1, self.max_idle_conns)
        return {
            "pool_size": size,
            "max_overflow": max(0, self.max_open_conns - size) if self.max_open_conns else -1,
            "pool_recycle": self.conn_max_lifetime_minutes * 60 or -1,
            "pool_pre_ping": True,
        }


@dataclass(frozen=True)
class AsteriskSettings:
    """How to reach the AMI of one Asterisk."""

    name: str
    """As in dialer_params.asterisk and dialer_trunks.asterisk."""
    host: str
    port: int
    timeout_seconds: float
    """The longest that connecting, the login and the answer to one action may take."""
    username: str
    password: Secret
    tls: bool = False
    tls_ca: Path | None = None
    """PEM file of the authorities to trust; None: the system's."""


@dataclass(frozen=True)
class HttpSettings:
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    """What it is called besides the name of its machine: a request for another name is none of ours."""


@dataclass(frozen=True)
class WorkerSettings:
    """What this worker process is called and how it keeps its leases."""

    name: str
    lease_seconds: int = 6
    poll_seconds: float = 5.0


@dataclass(frozen=True)
class Settings:
    """Everything that an operator may set."""

    database: DatabaseSettings
    asterisks: tuple[AsteriskSettings, ...]
    """The Asterisk 'default' first. Empty where no AMI is set: enough for the API and for migrations."""
    http: HttpSettings
    worker: WorkerSettings
    loglevel: int = 2
    """1 ERROR, 2 also INFO, 3 also DEBUG."""


def load(path: Path | None, environ: Mapping[str, str], *, calling: bool = True) -> Settings:
    """Settings out of a TOML file, out of a folder of JSON files, or (None) out of the environment alone. Who calls
    nobody, `calling` False, needs no Asterisk: he may have a file without its password.

    Raises SettingsError with every mistake in file and environment together.
    """
    reader = Reader()
    if path is not None and not reader.read_path(path):
        raise SettingsError(reader.mistakes)  # all that is missing by it is no news
    reader.read_environment(environ)
    settings = Settings(
        database=_database(reader),
        asterisks=_asterisks(reader) if calling else (),
        http=_http(reader),
        worker=_worker(reader),
        loglevel=reader.integer("log", "loglevel", 2, (1, 3), unit="a level: 1 ERROR, 2 also INFO, 3 also DEBUG;"),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _database(reader: Reader) -> DatabaseSettings:
    section = "database"
    url = reader.given(section, "url")
    if url is not None and url.from_environment:
        # An address from the environment replaces the file's as a whole: half of each is a third server.
        for part in URL_PARTS:
            given = reader.given(section, part)
            if given is not None and not given.from_environment:
                reader.drop(section, part)
    parts = [part for part in URL_PARTS if reader.given(section, part) is not None]
    if url is not None:
        settings = _from_url(reader, url, parts)
    elif not parts:
        reader.required(section, "url", "is missing, and so are the parts that may stand for it")
        settings = _NOWHERE
    else:
        settings = _from_parts(reader)
    lifetime = reader.integer(
        section, "Conn_Max_Lifetime", 30, (0, 100_000), unit="minutes (0: connections are kept for ever)"
    )
    opened = reader.integer(section, "Max_Open_Conns", 20, (0, 10_000))
    idle = reader.integer(section, "Max_Idle_Conns", min(5, opened or 5), (0, 10_000))
    if opened and idle > opened:
        remedy = "Give Max_Idle_Conns at most Max_Open_Conns, or Max_Open_Conns 0 (no limit)."
        reader.wrong(reader.source(section, "Max_Idle_Conns"), f"{idle} is more than Max_Open_Conns {opened}", remedy)
    schema = reader.text(section, "Scheme", "public" if settings.is_postgresql else settings.name)
    return DatabaseSettings(
        settings.driver,
        settings.host,
        settings.port,
        settings.name,
        schema,
        settings.username,
        settings.password,
        lifetime,
        opened,
        idle,
        settings.query,
    )


_NOWHERE = DatabaseSettings(POSTGRESQL, "", 5432, "", "", "", Secret(""))


def _from_url(reader: Reader, given: Given, parts: list[str]) -> DatabaseSettings:
    """A SQLAlchemy url; only Password may stand beside it, where the url itself names none."""
    text = reader.text("database", "url", "")
    example = "Write postgresql://user:password@server:5432/database"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        reader.wrong(given.source, "is not a database url", f"{example} (in it, '@' is %40, '/' %2F, ':' %3A).")
        return _NOWHERE
    if text.partition("?")[0].count("@") > 1:
        reader.wrong(given.source, "has more than one '@'", "Write %40 for an '@' in the user name or the password.")
        return _NOWHERE
    query = dict(url.query)
    password = url.password or query.pop("password", None)  # libpq takes it there, too
    beside = [part for part in parts if part != "Password" or password]
    if beside:
        names = ", ".join(reader.source("database", part) for part in beside)
        reader.wrong(given.source, f"stands beside {names}", "Give the url or the parts, not both.")
    driver = _driver(reader, url.drivername, given.source)
    if not url.database:
        reader.wrong(given.source, "names no database", f"{example}.")
    secret = Secret(_joined(password)) if password else reader.secret("database", "Password", "")
    return DatabaseSettings(
        driver=driver,
        host=url.host or "",
        port=url.port or _default_port(driver),
        name=url.database or "",
        schema="",
        username=url.username or "",
        password=secret,
        query=query,
    )


def _from_parts(reader: Reader) -> DatabaseSettings:
    section = "database"
    driver = _driver(reader, reader.text(section, "Driver", None), reader.source(section, "Driver"))
    # On MariaDB the original's two names mean one thing: Scheme is the database that holds the tables.
    optional_name = driver == MARIADB and reader.given(section, "Scheme") is not None
    return DatabaseSettings(
        driver=driver,
        host=reader.host(section, "DB_Server", None),
        port=reader.port(section, "Port", _default_port(driver)),
        name=reader.text(section, "DB_Name", "" if optional_name else None) or reader.text(section, "Scheme", ""),
        schema="",
        username=reader.text(section, "Username", None),
        password=reader.secret(section, "Password", ""),
    )


def _driver(reader: Reader, value: str, source: str) -> str:
    driver = DRIVERS.get(value.strip().lower())
    if driver is None and value:
        remedy = "Give pgx or postgresql for PostgreSQL, mysql or mariadb for MariaDB."
        reader.wrong(source, f"{value[:60]!r} is not a database driver that the dialer knows", remedy)
    return driver or POSTGRESQL


def _default_port(driver: str) -> int:
    return 5432 if driver == POSTGRESQL else 3306


def _asterisks(reader: Reader) -> tuple[AsteriskSettings, ...]:
    found = []
    for section, name in reader.asterisks():
        tls = reader.flag(section, "Tls")
        ca = reader.file(section, "Tls_Ca")
        if ca and not tls:
            remedy = "Set Tls = true, or remove Tls_Ca."
            reader.wrong(reader.source(section, "Tls_Ca"), "is set, but Tls is not", remedy)
        found.append(
            AsteriskSettings(
                name=name,
                host=reader.host(section, "Ip", None),
                port=reader.port(section, "Port", 5039 if tls else 5038),
                timeout_seconds=reader.number(section, "Timeout", 10, (1, 300), unit="seconds"),
                username=reader.text(section, "Username", None),
                password=reader.secret(section, "Password", None),
                tls=tls,
                tls_ca=ca,
            )
        )
    return tuple(found)


def _http(reader: Reader) -> HttpSettings:
    written = reader.source("http", "Ip") != "[http] Ip"
    # An empty Ip, as the original's file may have it, listened on every interface.
    host = reader.host("http", "Ip", "0.0.0.0" if written else HttpSettings.host)  # noqa: S104
    return HttpSettings(host, reader.port("http", "Port", HttpSettings.port), reader.names("http", "Names"))


def _worker(reader: Reader) -> WorkerSettings:
    # The random end tells two containers apart that share a host name and are both process 1.
    default = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    name = reader.text("worker", "Name", default)
    if len(name) > 100:
        reader.wrong(reader.source("worker", "Name"), f"has {len(name)} characters", "Give 100 at most.")
    return WorkerSettings(
        name=name,
        lease_seconds=reader.integer("worker", "Lease_Seconds", 6, (2, 300), unit="seconds"),
        poll_seconds=reader.number("worker", "Poll_Seconds", 5, (0.1, 300), unit="seconds"),
    )


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)
