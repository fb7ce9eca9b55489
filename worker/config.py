"""The settings: one frozen tree, out of a TOML file (or the original's four JSON files) and the environment.

    [database]  Driver Port DB_Server DB_Name Scheme Username Password, or url;
                Conn_Max_Lifetime (minutes) Max_Open_Conns Max_Idle_Conns
    [ami]       Ip Port Timeout (seconds) Username Password Tls Tls_Ca     the Asterisk called 'default'
    [asterisk.NAME]  as [ami]                                              further ones
    [http]      Ip Port Names
    [log]       loglevel (1 ERROR, 2 and INFO, 3 and DEBUG)
    [worker]    Name Lease_Seconds Poll_Seconds

Names are the original's, in any case: the aliases of the fields below, whose types say what is accepted. A variable
DIALER_SECTION_NAME (DIALER_DATABASE_DB_SERVER, DIALER_ASTERISK_EAST_IP) overrides the file, and
DIALER_SECTION_NAME_FILE names a file with the value; DIALER_LOGLEVEL is short for DIALER_LOG_LOGLEVEL. `load` reports
all mistakes at once. It never shows a password, nor the value of an unknown name (it may be a password under a misspelt
name), nor more of a url than its scheme.

The classes are plain dataclasses: only `load` checks values, those that people wrote.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasPath,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticKnownError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from worker.config_mistakes import fields_of, refusal, report, shown
from worker.config_sources import Given, Sources, Unreadable
from worker.config_url import wrong_option
from worker.errors import SettingsError

POSTGRESQL = "postgresql+psycopg"
MARIADB = "mariadb+pymysql"  # with mysql+ Alembic believes that it talks to MySQL
DRIVERS = dict.fromkeys(("pgx", "postgres", "postgresql", POSTGRESQL), POSTGRESQL) | dict.fromkeys(
    ("mysql", "mariadb", "mysql+pymysql", MARIADB), MARIADB
)
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


class Secret(SecretStr):
    """A text that cannot be shown by accident: str, repr and format give asterisks, `reveal()` gives the text."""

    reveal = SecretStr.get_secret_value


# What people may write. The descriptions become part of messages: "Give a port from 1 to 65535."


def _digits_are_text(value: object) -> object:
    """In the original's files a password may be a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _truth_is_no_number(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


_T = TypeVar("_T", str, Secret)


def _printable(value: _T) -> _T:
    written = value.reveal() if isinstance(value, Secret) else value
    if re.search(r"[\x00-\x1f\x7f]", written):
        raise refusal("holds a control character (a line end, perhaps)", "Remove it.")
    if re.search(r"[\ud800-\udfff]", written):
        raise refusal("holds bytes that are not UTF-8", "Write it in UTF-8.")
    return value


def _server(value: str) -> str:
    value = value.strip()
    for one in value.split(","):
        server = one.strip()
        if server.startswith("/"):  # the folder of a socket
            continue
        if re.fullmatch(r"[\w.-]*:\d+|\[.*\]:\d+", server):
            raise refusal(f"{shown(value)} is a server and a port", "Give the server alone, and the port as Port.")
        if re.search(r"[\s/@?;=\[\]]", server) or server.count(":") == 1:
            remedy = "Give an IP address or a host name alone, without brackets."
            raise refusal(f"{shown(value)} is not a server", remedy)
    return value


def _plain_name(value: str) -> str:
    if re.search(r"[@:/?=;]", value):
        raise refusal(
            f"{shown(value)} is not a name", "Give the name alone, without @ : / ? = ; or the address as url."
        )
    return value


def _driver(value: str) -> str:
    driver = DRIVERS.get(value.strip().lower())
    if driver is None:
        remedy = "Give pgx or postgresql for PostgreSQL, mysql or mariadb for MariaDB."
        raise refusal(f"{shown(value)} is not a database driver that the dialer knows", remedy)
    return driver


def _host_names(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(
        isinstance(one, str) and _HOST_NAME.fullmatch(one.strip()) for one in names
    ):
        remedy = 'Give names without port, such as ["dialer.example.com"].'
        raise refusal(f"{shown(value)} is not a list of host names", remedy)
    return tuple(one.strip() for one in names)


def _at_most_open(idle: int, info: ValidationInfo) -> int:
    opened = info.data.get("max_open_conns")
    if opened and idle > opened:
        remedy = "Give Max_Idle_Conns at most Max_Open_Conns, or Max_Open_Conns 0 (no limit)."
        raise refusal(f"{idle} is more than Max_Open_Conns {opened}", remedy)
    return idle


def _with_tls(ca: Path | None, info: ValidationInfo) -> Path | None:
    if ca and not info.data.get("tls", True):
        raise refusal("is set, but Tls is not", "Set Tls = true, or remove Tls_Ca.")
    return ca


Text = Annotated[str, BeforeValidator(_digits_are_text), AfterValidator(_printable), Field(description="text")]
Password = Annotated[
    Secret, BeforeValidator(_digits_are_text), AfterValidator(_printable), Field(description="the password as text")
]
Name = Annotated[Text, AfterValidator(_plain_name)]
Server = Annotated[Text, AfterValidator(_server)]
Whole = Annotated[int, BeforeValidator(_truth_is_no_number)]
Number = Annotated[float, BeforeValidator(_truth_is_no_number)]
Port = Annotated[Whole, Field(ge=1, le=65535, description="a port")]
Connections = Annotated[Whole, Field(ge=0, le=10_000, description="a whole number")]
Minutes = Annotated[Whole, Field(ge=0, le=100_000, description="minutes (0: connections are kept for ever)")]
Level = Annotated[Whole, Field(ge=1, le=3, description="a level: 1 ERROR, 2 also INFO, 3 also DEBUG;")]


# A default inside Annotated, which may depend on the fields above it, holds for `load` alone.


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the database is and how many connections may be held."""

    driver: Annotated[Text, AfterValidator(_driver), Field(alias="Driver", default=POSTGRESQL)]
    """SQLAlchemy's name: postgresql+psycopg or mariadb+pymysql."""
    host: Annotated[Server, Field(alias="DB_Server", default="")]
    """If it is a list with commas, the first server that takes writes. Empty: the driver's default."""
    port: Annotated[
        Port, Field(alias="Port", default_factory=lambda data: 5432 if data["driver"] == POSTGRESQL else 3306)
    ]
    name: Annotated[Name, Field(alias="DB_Name", default="")]
    schema: Annotated[
        Name,
        Field(alias="Scheme", default_factory=lambda data: "public" if data["driver"] == POSTGRESQL else data["name"]),
    ]
    """On PostgreSQL the schema, on MariaDB the database that holds the tables."""
    username: Annotated[Text, Field(alias="Username", default="")]
    password: Annotated[Password, Field(alias="Password", default=Secret(""))]
    conn_max_lifetime_minutes: Annotated[Minutes, Field(alias="Conn_Max_Lifetime")] = 30
    """0: connections are reused for ever."""
    max_open_conns: Annotated[Connections, Field(alias="Max_Open_Conns")] = 20
    """0: no limit."""
    max_idle_conns: Annotated[
        Connections,
        AfterValidator(_at_most_open),
        Field(alias="Max_Idle_Conns", default_factory=lambda data: min(5, data["max_open_conns"] or 5)),
    ]
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, repr=False)
    """The url's query parameters, for the driver."""

    @property
    def is_postgresql(self) -> bool:
        return self.driver == POSTGRESQL

    def where(self) -> str:
        """Which database this is, without secrets, for messages; on MariaDB the database that holds the tables."""
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


@dataclass(frozen=True, kw_only=True)
class AsteriskSettings:
    """How to reach the AMI of one Asterisk."""

    name: str
    """As in dialer_params.asterisk and dialer_trunks.asterisk."""
    host: Annotated[Server, Field(alias="Ip")]
    timeout_seconds: Annotated[Number, Field(alias="Timeout", ge=1, le=300, description="seconds")] = 10.0
    """The longest that connecting, the login and the answer to one action may take."""
    username: Annotated[Text, Field(alias="Username")]
    password: Annotated[Password, Field(alias="Password")]
    tls: Annotated[bool, Field(alias="Tls")] = False
    tls_ca: Annotated[FilePath | None, AfterValidator(_with_tls), Field(alias="Tls_Ca")] = None
    """PEM file of the authorities to trust; None: the system's."""
    port: Annotated[Port, Field(alias="Port", default_factory=lambda data: 5039 if data["tls"] else 5038)]


@dataclass(frozen=True)
class HttpSettings:
    """Where the API listens."""

    host: Annotated[Server, Field(alias="Ip")] = "127.0.0.1"
    port: Annotated[Port, Field(alias="Port")] = 8080
    names: Annotated[tuple[str, ...], BeforeValidator(_host_names), Field(alias="Names")] = ()
    """Its host names besides the machine's own: a request for another name was not meant for us."""


def _own_name() -> str:
    # The random end tells two containers apart that share a host name and are both process 1.
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class WorkerSettings:
    """What this worker process is called and how it keeps its leases."""

    name: Annotated[Text, Field(alias="Name", max_length=100, default_factory=_own_name)]
    lease_seconds: Annotated[Whole, Field(alias="Lease_Seconds", ge=2, le=300, description="seconds")] = 6
    poll_seconds: Annotated[Number, Field(alias="Poll_Seconds", ge=0.1, le=300, description="seconds")] = 5.0


@dataclass(frozen=True)
class Settings:
    """Everything that an operator may set."""

    database: DatabaseSettings
    asterisks: tuple[AsteriskSettings, ...]
    """The Asterisk 'default' first. Empty if no AMI is set, which is enough for the API and for migrations."""
    http: HttpSettings
    worker: WorkerSettings
    loglevel: Annotated[Level, Field(validation_alias=AliasPath("log", "loglevel"))] = 2
    """1 ERROR, 2 also INFO, 3 also DEBUG."""


_CLASSES = {
    "database": DatabaseSettings,
    "ami": AsteriskSettings,
    "asterisk": AsteriskSettings,
    "http": HttpSettings,
    "log": Settings,  # its loglevel
    "worker": WorkerSettings,
}


@cache
def names() -> Mapping[str, tuple[str, ...]]:
    """The names of the settings as people write them, by section; a further Asterisk has the names of [ami]."""
    found = {section: tuple(fields_of(kind)) for section, kind in _CLASSES.items() if section != "asterisk"}
    return found | {"database": ("url", *found["database"])}


@cache
def _tree() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def load(path: Path | None, environ: Mapping[str, str], *, calling: bool = True) -> Settings:
    """Settings from a TOML file, from a folder of JSON files, or (None) from the environment alone. `calling` False:
    the command places no calls and needs no Asterisk, so the AMI password may be missing.

    Raises SettingsError with every mistake in file and environment together.
    """
    sources = Sources(names())
    if path is not None and not sources.read_path(path):
        raise SettingsError(sources.mistakes)  # everything else would be missing because of that, so do not report it
    sources.read_environment(environ)
    _find_database(sources)
    tree: dict[str, Any] = {section: sources.section(section) for section in ("database", "http", "log", "worker")}
    # An empty Ip, as the original's file may have it, listened on every interface.
    if ("http", "Ip") in sources.given:
        tree["http"].setdefault("Ip", "0.0.0.0")  # noqa: S104
    asterisks = [one for one in sorted(sources.asterisks) if calling and sources.section(one)]
    tree["asterisks"] = [{"name": sources.asterisks[one], **sources.section(one)} for one in asterisks]
    try:
        settings = _tree().validate_python(tree)
    except ValidationError as error:
        report(error, sources, _CLASSES, asterisks)
    if sources.mistakes:
        raise SettingsError(sources.mistakes)
    return settings


_ADDRESS = ("Driver", "DB_Server", "Port", "DB_Name", "Username", "Password")
"""The database that a url names."""


def _find_database(sources: Sources) -> None:
    """Put the parts of a url into their places, and report those that are missing."""
    if ("database", "url") in sources.environment and sources.environment["database", "url"].value:
        # An address from the environment replaces the file's as a whole: half of each would be a third server.
        for part in _ADDRESS:
            sources.file.pop(("database", part), None)
    given = sources.section("database")
    parts = [part for part in _ADDRESS if part in given]
    if "url" in given:
        _take_apart(sources.given["database", "url"], parts, sources)
    elif not parts:
        sources.missing(("database", "url"), "is missing, and so are the parts that may stand for it")
    else:
        on_mariadb = DRIVERS.get(str(given.get("Driver")).strip().lower()) == MARIADB
        if on_mariadb and "Scheme" in given and "DB_Name" not in given:
            # On MariaDB the original's two names mean the same: Scheme is the database that holds the tables.
            sources.given["database", "DB_Name"] = sources.given["database", "Scheme"]
        for part in ("Driver", "DB_Server", "DB_Name", "Username"):
            if part not in sources.section("database"):
                sources.missing(("database", part))


def _take_apart(url: Given, parts: list[str], sources: Sources) -> None:
    """Only Password may stand beside a url, and only if the url itself has none."""
    if isinstance(url.value, Unreadable):
        sources.given["database", "Driver"] = url  # where it is reported
        return
    text = str(url.value)
    example = "Write postgresql://user:password@server:5432/database"
    try:
        made = make_url(text)
    except (ArgumentError, ValueError):
        remedy = f"{example} (in it, '@' is %40, '/' %2F, ':' %3A)."
        sources.wrong(url.source, "is not a database url", remedy)
        return
    if text.count("@") > 1:
        remedy = "Write %40 for an '@' in the user name, the password or an option."
        sources.wrong(url.source, "has more than one '@'", remedy)
        return
    driver = DRIVERS.get(made.drivername.lower())
    option = wrong_option(made.set(drivername=driver)) if driver else None
    if option is not None:
        fault = "has an option that the database's driver cannot take"
        # Otherwise it may be the rest of a password.
        if option and re.fullmatch("[a-z_]{1,40}", option) and not re.search("@|passw", text.partition("?")[2]):
            fault += f": {option}"
        remedy = "Correct what stands behind the '?', or leave it out; a '?' in a password is %3F."
        sources.wrong(url.source, fault, remedy)
        return
    query = dict(made.query)
    password = made.password or query.pop("password", None)  # libpq takes it there, too
    beside = [sources.source(("database", part)) for part in parts if part != "Password" or password]
    if beside:
        sources.wrong(url.source, f"stands beside {', '.join(beside)}", "Give the url or the parts, not both.")
    if not made.database:
        sources.wrong(url.source, "names no database", f"{example}.")
    address = (made.drivername, made.host, made.port, made.database, made.username, password and _joined(password))
    for part, value in ("query", query), *zip(_ADDRESS, address, strict=True):
        if value is not None:
            sources.given["database", part] = Given(value, url.source)


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)
