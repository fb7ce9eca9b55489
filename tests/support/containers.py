"""The servers that tests talk to, real ones in containers: PostgreSQL, MariaDB and Asterisk 16.

Images come from `scripts/prepare-tests.sh`. Every container shares the host's network, on ports of its own: SIP
puts addresses into its messages, so a translated address would not do, and several servers (and test runs) live
side by side. A container carries the test process in its labels; whoever finds one whose process is gone, killed
before it could tidy up, removes it.

A missing Docker or image raises MissingServerError with the remedy. It never skips a test.
"""

from __future__ import annotations

import importlib
import os
import random
import re
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any, Protocol, Self

import psycopg
import pymysql
from psycopg import sql
from sqlalchemy import URL, make_url

from tests.support.waiting import wait_for

# The reaper is an image from a registry that may be out of reach; labels do its job. Read at import.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

from testcontainers.core.container import DockerContainer

# Not `import docker`: linters and type checkers would take the folder docker/ of this tree for it.
docker_sdk: Any = importlib.import_module("docker")

POSTGRES_VERSIONS = ("12", "18")
MARIADB_VERSIONS = ("10.5", "10.11", "11.8")
"""Those that there are images of. `make test` runs on the first of them, the oldest; `make test-full` on them all."""
ASTERISK_IMAGE = "dialer-asterisk16"
REMEDY = (
    "Run `make prepare`, or `make prepare-full` for the servers of `make test-full`"
    " (as root they install Docker and build the images)."
)

OWNER_LABEL = "dialer.tests.owner"
_LOCALHOST = "127.0.0.1"


class MissingServerError(RuntimeError):
    """A server that the tests need cannot be started; the text says what to do."""


# --- ports -------------------------------------------------------------------------------------------------------

_PORTS = range(20_000, 32_000)  # below the range from which the kernel gives clients their ports
_RESERVED = "127.0.0.2"
_reservations: list[socket.socket] = []


def _is_free(port: int) -> bool:
    for address, kind in product((_LOCALHOST, _RESERVED), (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
        with closing(socket.socket(socket.AF_INET, kind)) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _reserve(port: int) -> None:
    """No test run gives this port away, though it is bound on 127.0.0.1 only later, again and again."""
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    reservation.bind((_RESERVED, port))
    _reservations.append(reservation)


def free_ports(count: int) -> int:
    """The first of `count` adjacent ports that nobody uses now, for TCP and UDP alike.

    Random, so that test runs side by side rarely want the same ones.
    """
    for _ in range(200):
        first = random.randrange(_PORTS.start, _PORTS.stop - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise MissingServerError(f"no {count} adjacent free ports were found between {_PORTS.start} and {_PORTS.stop}")


# --- containers --------------------------------------------------------------------------------------------------


def _process(pid: int | str) -> str | None:
    """Names a process for ever: pid and start time (clock ticks since boot). None: there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


def remove_leftovers() -> int:
    """Removes the containers whose test process is gone, and says how many."""
    count = 0
    with closing(_docker()) as client:
        for container in client.containers.list(all=True, filters={"label": OWNER_LABEL}):
            owner = container.labels[OWNER_LABEL]
            if _process(owner.partition("-")[0]) != owner:
                try:
                    container.remove(force=True, v=True)
                    count += 1
                except docker_sdk.errors.APIError:
                    pass  # another test run was faster
    return count


def _docker() -> Any:
    try:
        client = docker_sdk.from_env()
        client.ping()
    except (docker_sdk.errors.DockerException, OSError) as error:
        raise MissingServerError(f"no Docker daemon answers ({error}). {REMEDY}") from error
    return client


class Server(DockerContainer):
    """A container on the host's network that a test may also freeze, kill and start again."""

    image_name: str

    def __init__(self, command: list[str] | None = None) -> None:
        with closing(_docker()) as client:
            try:
                client.images.get(self.image_name)
            except docker_sdk.errors.ImageNotFound as error:
                raise MissingServerError(f"there is no image {self.image_name!r}. {REMEDY}") from error
        super().__init__(self.image_name)
        if command:
            self.with_command(command)
        owner = _process(os.getpid())
        assert owner is not None
        self.with_kwargs(network_mode="host", labels={OWNER_LABEL: owner})

    def start(self) -> Self:
        super().start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self) -> None:
        """Returns when the server serves; raises with its log when it does not in time, or has ended."""
        raise NotImplementedError

    def logs(self) -> str:
        """All that the server has written so far."""
        out, err = self.get_logs()
        return (out + err).decode(errors="replace")

    def _wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        def state() -> bool:
            self.reload()
            if self.status == "exited":
                raise MissingServerError(f"{self.image_name} ended while it started. Its log:\n{self.logs()}")
            return ready()

        wait_for(state, seconds, lambda: f"{self.image_name} to be ready. Its log:\n{self.logs()}")

    def kill(self) -> None:
        """SIGKILL: gone at once, as in a crash. `start_again` brings it back with its data and ports."""
        container = self.get_wrapped_container()
        container.kill()
        container.wait()

    def start_again(self) -> None:
        """Starts a killed server and waits until it is ready."""
        self.get_wrapped_container().start()
        self.wait_until_ready()

    def restart(self, grace_seconds: int = 5) -> None:
        """An orderly stop (killed after the grace), a start, and the wait until it is ready."""
        self.get_wrapped_container().restart(timeout=grace_seconds)
        self.wait_until_ready()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The server hangs within the block: connections stay open and nothing answers."""
        container = self.get_wrapped_container()
        container.pause()
        try:
            yield
        finally:
            container.unpause()


# --- databases ---------------------------------------------------------------------------------------------------


class Databases(Protocol):
    """Makes databases on a running server, whichever it is."""

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or as the named template."""

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Has `prepare(url)` fill a database that `create(template=name)` gives; once for each name."""

    def copy(self, url: str) -> str:
        """The URL of a new database, filled as that one is, in which nobody works."""

    def drop(self, url: str) -> None:
        """Drops a database made here, together with the sessions that are still in it."""

    def user(self, url: str) -> AbstractContextManager[tuple[str, str]]:
        """A user who may connect to that database and no more: name, which is the password as well, and the URL under
        that name. Gone after the block."""

    def grant_all(self, url: str, user: str) -> None:
        """The user may work with what is in the database."""

    def change_password(self, user: str, password: str) -> None:
        """The user needs this one from now on."""

    def end_sessions(self, user: str) -> None:
        """All that the user has."""


# --- PostgreSQL --------------------------------------------------------------------------------------------------


class PostgresDatabases:
    """Makes databases on a running server, and copies of prepared ones, quickly.

    A template is prepared once (migrations, a list of cases); each `create(template=...)` is then a copy of files.
    """

    def __init__(self, admin_url: URL) -> None:
        self.admin_url = admin_url
        """postgresql+psycopg://user:password@host:port/database of a user who may create databases"""
        self._templates: dict[str, str] = {}

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the named template."""
        return self.copy(self._url(self._templates[template] if template else "template0"))

    def copy(self, url: str) -> str:
        """The URL of a new database, filled as that one is, in which nobody works."""
        name, source = f"test_{secrets.token_hex(6)}", make_url(url).database
        assert source is not None
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source)))
        return self._url(name)

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Has `prepare(url)` fill a database, once for each name, to be copied by `create(template=name)`.

        `prepare` must leave no connection open. Returns the name.
        """
        if name not in self._templates:
            url = self.create()
            try:
                prepare(url)
            except BaseException:
                self.drop(url)
                raise
            database = make_url(url).database
            assert database is not None
            self._templates[name] = database
        return name

    def drop(self, url: str) -> None:
        """Drops a database made here, together with the sessions that are still in it."""
        name = make_url(url).database
        assert name is not None
        sessions = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
        self._run(sessions.format(sql.Literal(name)))
        self._run(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))

    def close(self) -> None:
        """Drops the templates."""
        for name in self._templates.values():
            self.drop(self._url(name))
        self._templates.clear()

    @contextmanager
    def user(self, url: str) -> Iterator[tuple[str, str]]:
        """A user who may connect and no more: name, and the URL under that name; gone after the block, what is his
        there becomes the administrator's."""
        name = f"test_{secrets.token_hex(6)}"
        self._run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(name)))
        try:
            yield name, make_url(url).set(username=name, password=name).render_as_string(hide_password=False)
        finally:
            for place in (url, None):
                with suppress(psycopg.OperationalError), self.connect(place) as connection:  # has it gone as well?
                    connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(name)))
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            self._run(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def grant_all(self, url: str, user: str) -> None:
        """The user may work with what is in the database."""
        with self.connect(url) as connection:
            schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"
            for (schema,) in connection.execute(schemas).fetchall():
                for what in (
                    "SCHEMA {}",
                    "ALL TABLES IN SCHEMA {}",
                    "ALL SEQUENCES IN SCHEMA {}",
                    "ALL ROUTINES IN SCHEMA {}",
                ):
                    place = sql.SQL(what).format(sql.Identifier(schema))
                    connection.execute(sql.SQL("GRANT ALL ON {} TO {}").format(place, sql.Identifier(user)))

    def change_password(self, user: str, password: str) -> None:
        """The user needs this one from now on."""
        self._run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(password)))

    def end_sessions(self, user: str) -> None:
        """All that the user has."""
        sessions = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}")
        self._run(sessions.format(sql.Literal(user)))

    def connect(self, url: str | None = None) -> psycopg.Connection[Any]:
        """A plain psycopg connection with autocommit, to that database or to the administrator's."""
        plain = (make_url(url) if url else self.admin_url).set(drivername="postgresql")
        return psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True)

    def _run(self, statement: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(statement)

    def _url(self, name: str) -> str:
        return self.admin_url.set(database=name).render_as_string(hide_password=False)


class PostgresContainer(Server):
    """PostgreSQL with an administrator `dialer`; one of POSTGRES_VERSIONS.

    `durable=False` gives up what only a crash of the machine needs (fsync), not what survives a kill of the server.
    """

    _username = "dialer"

    def __init__(
        self, version: str = POSTGRES_VERSIONS[0], *, durable: bool = False, options: dict[str, str] | None = None
    ) -> None:
        self.image_name = f"dialer-postgres{version}"
        settings = {"max_connections": "200", **({} if durable else {"fsync": "off", "full_page_writes": "off"})}
        settings |= options or {}
        super().__init__([part for name, value in settings.items() for part in ("-c", f"{name}={value}")])
        self.port = free_ports(1)
        self._password = secrets.token_hex(12)
        self.with_envs(POSTGRES_PASSWORD=self._password, POSTGRES_PORT=str(self.port), POSTGRES_LISTEN=_LOCALHOST)

    @property
    def url(self) -> str:
        """postgresql+psycopg://… of the database `dialer`."""
        return self._admin_url().render_as_string(hide_password=False)

    def databases(self) -> PostgresDatabases:
        return PostgresDatabases(self._admin_url())

    def wait_until_ready(self) -> None:
        databases = self.databases()

        def answers() -> bool:
            try:
                databases.connect().close()
            except psycopg.OperationalError:
                return False
            return True

        self._wait_ready(answers, seconds=60)

    def _admin_url(self) -> URL:
        return URL.create(
            "postgresql+psycopg", self._username, self._password, _LOCALHOST, self.port, database="dialer"
        )


# --- MariaDB -----------------------------------------------------------------------------------------------------


class MariaDbDatabases:
    """Makes databases on a running server.

    MariaDB cannot copy a database, so a template is prepared anew for each `create(template=...)`.
    """

    def __init__(self, admin_url: URL) -> None:
        self.admin_url = admin_url
        """mariadb+pymysql://user:password@host:port/ of a user who may create databases"""
        self._templates: dict[str, Callable[[str], None]] = {}

    def create(self, template: str | None = None, collation: str = "utf8mb4_general_ci") -> str:
        """The URL of a new database: empty, or as the named template."""
        name = f"test_{secrets.token_hex(6)}"
        # Not the collation that the dialer would choose: it has to bring its own.
        self.run(f"CREATE DATABASE {name} CHARACTER SET {collation.split('_', maxsplit=1)[0]} COLLATE {collation}")
        url = self._url(name)
        if template:
            self._templates[template](url)
        return url

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Remembers how `create(template=name)` fills a database. Returns the name."""
        self._templates.setdefault(name, prepare)
        return name

    def drop(self, url: str) -> None:
        """Drops a database made here, together with the sessions that are still in it."""
        name = make_url(url).database
        assert name is not None
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            for (session,) in cursor.fetchall():
                with suppress(pymysql.OperationalError):  # it has just ended by itself
                    cursor.execute(f"KILL {int(session)}")
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def copy(self, url: str) -> str:
        """The URL of a new database, filled as that one is."""
        made = self.create()
        self.restore(made, self.dump(url, "--routines"))
        return made

    @contextmanager
    def user(self, url: str) -> Iterator[tuple[str, str]]:
        """A user without rights: name, and the URL under that name; gone after the block."""
        name = f"test_{secrets.token_hex(6)}"
        self.run(f"CREATE USER {name}@'%' IDENTIFIED BY '{name}'")
        try:
            yield name, make_url(url).set(username=name, password=name).render_as_string(hide_password=False)
        finally:
            self.run(f"DROP USER {name}@'%'")

    def grant_all(self, url: str, user: str) -> None:
        """The user may work with what is in the database."""
        self.run(f"GRANT ALL ON `{make_url(url).database}`.* TO {user}@'%'")

    def change_password(self, user: str, password: str) -> None:
        """The user needs this one from now on."""
        self.run(f"SET PASSWORD FOR {user}@'%' = PASSWORD('{password}')")

    def end_sessions(self, user: str) -> None:
        """All that the user has."""
        self.run(f"KILL USER {user}")

    def dump(self, url: str, *options: str) -> str:
        """The database as SQL, by MariaDB's own program."""
        return self._client("mariadb-dump", url, *options)

    def restore(self, url: str, dump: str) -> None:
        """Run a dump, as far as it goes: one without routines stops at the first view that calls one."""
        self._client("mariadb", url, given=dump, check=False)

    def _client(self, program: str, url: str, *options: str, given: str | None = None, check: bool = True) -> str:
        place = make_url(url)
        line = [program, f"--host={place.host}", f"--port={place.port}", f"--user={place.username}", *options]
        assert place.database is not None
        done = subprocess.run(
            [*line, place.database],
            env={**os.environ, "MYSQL_PWD": str(place.password or "")},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def connect(self, url: str | None = None) -> pymysql.Connection[Any]:
        """A plain PyMySQL connection with autocommit, to that database or to none."""
        place = make_url(url) if url else self.admin_url
        return pymysql.connect(
            host=place.host,
            port=place.port or 3306,
            user=place.username,
            password=place.password or "",
            database=place.database or None,
            autocommit=True,
            ssl_disabled=True,
        )

    def run(self, statement: str) -> None:
        """As the administrator."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def _url(self, name: str) -> str:
        return self.admin_url.set(database=name).render_as_string(hide_password=False)


class MariaDbContainer(Server):
    """MariaDB with an administrator `dialer` and the zone tables; one of MARIADB_VERSIONS.

    `durable=False` gives up what only a crash of the machine needs (fsync at every commit).
    """

    _username = "dialer"

    def __init__(
        self,
        version: str = MARIADB_VERSIONS[0],
        *,
        durable: bool = False,
        options: dict[str, str] | None = None,
        zones: bool = True,
    ) -> None:
        """`options`: of mariadbd, without the dashes. `zones=False`: the zone tables are empty."""
        self.image_name = f"dialer-mariadb{version}"
        # As servers are that replicate or are backed up; not waiting for the disk.
        settings = {"log-bin": "binlog", "server-id": "1", "binlog-format": "MIXED", "sync-binlog": "0"}
        settings["log-bin-trust-function-creators"] = "1"
        settings |= {"max-connections": "200", "innodb-buffer-pool-size": "256M"}
        settings |= {} if durable else {"innodb-flush-log-at-trx-commit": "0", "sync-frm": "0"}
        settings |= options or {}
        super().__init__([f"--{name}={value}" for name, value in settings.items()])
        self.port = free_ports(1)
        self._password = secrets.token_hex(12)
        self.with_envs(
            MARIADB_PASSWORD=self._password,
            MARIADB_PORT=str(self.port),
            MARIADB_LISTEN=_LOCALHOST,
            MARIADB_ZONES="yes" if zones else "no",
        )

    @property
    def url(self) -> str:
        """mariadb+pymysql://… of the database `dialer`."""
        return self._admin_url().set(database="dialer").render_as_string(hide_password=False)

    def databases(self) -> MariaDbDatabases:
        return MariaDbDatabases(self._admin_url())

    def wait_until_ready(self) -> None:
        databases = self.databases()

        def answers() -> bool:
            try:
                databases.connect().close()
            except pymysql.OperationalError:
                return False
            return True

        self._wait_ready(answers, seconds=60)

    def _admin_url(self) -> URL:
        return URL.create("mariadb+pymysql", self._username, self._password, _LOCALHOST, self.port)


# --- Asterisk ----------------------------------------------------------------------------------------------------


class AsteriskContainer(Server):
    """Asterisk 16 with the configuration that the project ships (docker/asterisk).

    The carrier (PJSIP/<number>@carrier) and the agents' phones (PJSIP/agent1 …) are to be played by SIPp on
    `carrier_port` and `agents_port` of 127.0.0.1.
    """

    image_name = ASTERISK_IMAGE
    host = _LOCALHOST
    username = "dialer"
    """The AMI user with least rights that the dialer gets."""
    lab_username = "lab"
    """An AMI user who may do everything, for faults and inspection."""

    def __init__(
        self,
        *,
        queues: str = "sales:1-5 support:4-8 solo:9-9 empty:",
        agents: int = 10,
        ring_seconds: int = 5,
        calls_at_once: int = 100,
        tls_file: Path | None = None,
    ) -> None:
        """`queues`: names and their agents, as the image's QUEUES; `ring_seconds`: how long one agent is rung.

        `tls_file`: certificate and key in one PEM file, readable by everyone; AMI then speaks TLS on `ami_tls_port`.
        """
        super().__init__()
        self.secret = secrets.token_hex(12)
        self.lab_secret = secrets.token_hex(12)
        rtp_ports = 4 * calls_at_once  # two legs a call, two ports a leg
        self.ami_port = free_ports(6 + rtp_ports)
        self.sip_port, self.carrier_port, self.agents_port, self.ami_tls_port = range(
            self.ami_port + 1, self.ami_port + 5
        )
        _reserve(self.carrier_port)
        _reserve(self.agents_port)
        rtp_start = self.ami_port + 5 + (self.ami_port + 5) % 2  # RTP takes even ports
        self.with_envs(
            AMI_SECRET=self.secret,
            LAB_SECRET=self.lab_secret,
            AMI_PORT=str(self.ami_port),
            SIP_BIND=_LOCALHOST,
            SIP_PORT=str(self.sip_port),
            RTP_START=str(rtp_start),
            RTP_END=str(rtp_start + rtp_ports - 2),
            CARRIER=f"{_LOCALHOST}:{self.carrier_port}",
            AGENTS=f"{_LOCALHOST}:{self.agents_port}",
            AGENT_COUNT=str(agents),
            QUEUES=queues,
            QUEUE_RING_SECONDS=str(ring_seconds),
        )
        if tls_file is not None:
            inside = "/run/ami.pem"
            self.with_volume_mapping(tls_file, inside).with_envs(
                AMI_TLS_FILE=inside, AMI_TLS_PORT=str(self.ami_tls_port)
            )

    def wait_until_ready(self) -> None:
        # The port is open before the modules are loaded; "fully booted" is what the dialer waits for as well.
        self._wait_ready(lambda: "fully booted" in self.command("core waitfullybooted", check=False), seconds=30)

    def command(self, text: str, *, check: bool = True) -> str:
        """What `asterisk -rx TEXT` prints. check: a command that cannot be run is an error."""
        result = self.exec(["asterisk", "-rx", text])
        output = result.output.decode(errors="replace")
        if check and result.exit_code != 0:
            raise RuntimeError(f"asterisk -rx {text!r} ended with {result.exit_code}: {output}")
        return output

    def channels(self) -> int:
        """Channels that are up now, agents' legs included."""
        output = ""

        def counted() -> bool:
            nonlocal output
            output = self.command("core show channels count")
            return bool(re.match(r"\d+ active channel", output))

        # A remote console that is hung up on before it has printed all of its answer ends well with nothing said.
        wait_for(counted, 5, lambda: f"a number of channels, not {output!r}")
        return int(output.split(maxsplit=1)[0])

    def hang_up_all(self) -> None:
        """Ends every call; for the end of a test."""
        self.command("channel request hangup all")
        wait_for(lambda: self.channels() == 0, 10, "all channels to be gone")
