"""Serves the application on gevent until it is told to stop."""

from __future__ import annotations

import logging
import os
import resource
import socket
from contextlib import suppress
from types import TracebackType
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import LoggingLogAdapter, WSGIHandler, WSGIServer

from api.app import make_app
from api.events import Events
from worker.config import Settings
from worker.db import Database
from worker.errors import DatabaseUnavailable, DialerError

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0
_MOST_CONNECTIONS = 1000
_EVENTS = "text/event-stream"


class CannotListen(DialerError):  # noqa: N818
    """The address of [http] cannot be used."""


class _TooLate(BaseException):
    """A client has taken too long. Only its connection may catch this, so it is not an Exception."""


class _Connection(WSGIHandler):
    """One connection. It is closed if the client is silent, sends its header bit by bit, or does not read the
    answer."""

    server: HttpServer
    _unwanted = False
    _streams = False
    """It answers with a stream of events, so there is no end to wait for."""

    def handle(self) -> None:
        self._seconds = self.server.request_seconds
        with suppress(OSError):  # the client has gone
            super().handle()

    def handle_one_request(self) -> Any:
        self._clock = gevent.Timeout.start_new(self._seconds, _TooLate)
        self.server.waits(self)
        try:
            result = super().handle_one_request()
        except _TooLate:
            return None
        finally:
            self._clock.close()
            self.server.waits_no_more(self)
            self.server.streams_no_more(self)
            self._streams = False
            self._seconds = self.server.idle_seconds
        return None if self.server.closed else result

    def read_requestline(self) -> str:
        line: str = super().read_requestline()
        self._allow(self.server.request_seconds)  # this holds on an idle connection, too, once a request has begun
        return line

    def read_request(self, raw_requestline: str) -> Any:
        if not raw_requestline.endswith("\n") or len(raw_requestline.split()) != 3:
            # The connection broke off, or it is HTTP/0.9: the project may have been "sales-2", not "sales".
            raise ValueError("the request line is not whole")
        read = super().read_request(raw_requestline)
        if self._unwanted:
            raise ValueError("the header is not whole")
        self.server.waits_no_more(self)
        self._allow(self.server.answer_seconds)
        return read

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        write = super().start_response(status, headers, exc_info)
        if any(name.lower() == "content-type" and value.startswith(_EVENTS) for name, value in headers):
            self._streams = True
            self._greenlet = gevent.getcurrent()
            self.server.streams(self)
        return write

    def write(self, data: bytes) -> None:
        if self._streams:
            self._allow(self.server.answer_seconds)  # for each event to be made and read
        super().write(data)

    def end_stream(self) -> None:
        """The server stops: break the stream off, so that its reader can come back."""
        gevent.kill(self._greenlet, _TooLate)

    def hang_up(self) -> None:
        """Close it, since its place is needed: whoever reads from it sees the end."""
        self._unwanted = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)

    def _allow(self, seconds: float) -> None:
        self._clock.close()
        self._clock = gevent.Timeout.start_new(seconds, _TooLate)

    def handle_error(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close_connection = True
        if kind is not _TooLate:
            log.error("An answer could not be given", extra={"action": "http_error"}, exc_info=error)

    def log_error(self, msg: str, *args: object) -> None:
        """Log nothing: scanners send thousands of requests that are not HTTP."""
        log.debug("refused", extra={"action": "http_malformed", "why": msg % args if args else msg})

    def log_request(self) -> None:
        log.debug("request", extra={"action": "http_request", "line": self.requestline, "status": self.code})


class HttpServer(WSGIServer):
    """An HTTP server that silent connections cannot block.

    A request's header must arrive within `request_seconds`, and its answer must be made and read within
    `answer_seconds` (in a stream of events, each event); between two requests a connection may be silent for
    `idle_seconds`. At most `most` connections are open. Half of them may be silent; beyond that the one that has been
    silent longest is closed.
    """

    handler_class = _Connection

    def __init__(
        self,
        listener: tuple[str, int],
        application: Any,
        *,
        most: int,
        request_seconds: float = 10,
        idle_seconds: float = 30,
        answer_seconds: float = 60,
    ) -> None:
        self.request_seconds = request_seconds
        self.idle_seconds = idle_seconds
        self.answer_seconds = answer_seconds
        self._most_silent = most // 2
        self._silent: dict[_Connection, None] = {}  # in the order in which they fell silent
        self._streaming: set[_Connection] = set()
        errors = LoggingLogAdapter(log, logging.WARNING)  # wsgi.errors of the application
        super().__init__(listener, application, backlog=most, spawn=Pool(most), log=None, error_log=errors)

    def waits(self, connection: _Connection) -> None:
        """Note a connection that has sent no request yet."""
        self._silent[connection] = None
        if len(self._silent) > self._most_silent:
            eldest = next(iter(self._silent))
            self.waits_no_more(eldest)
            eldest.hang_up()

    def waits_no_more(self, connection: _Connection) -> None:
        """Note that it has sent a request, or has gone."""
        self._silent.pop(connection, None)

    def streams(self, connection: _Connection) -> None:
        """It answers with a stream."""
        self._streaming.add(connection)

    def streams_no_more(self, connection: _Connection) -> None:
        """Its stream has ended, or it had none."""
        self._streaming.discard(connection)

    def stop(self, timeout: float | None = None) -> None:
        """Accept no more connections; requests under way have `timeout` seconds, silent connections and streams
        none."""
        self.close()
        for connection in list(self._streaming):
            connection.end_stream()
        for connection in list(self._silent):
            connection.hang_up()
        super().stop(timeout)


class Server:
    """The API of one process. Starting twice, stopping twice and stopping before starting are harmless."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._server: HttpServer | None = None

    def start(self) -> None:
        """Listen and answer in the background.

        It starts even if the database is down: the answers and /readyz say so until it is back. A database with another
        schema raises DatabaseNotAtHead. CannotListen: the address cannot be used.
        """
        if self._server is not None:
            return
        database = Database(self._settings.database)
        try:
            try:
                database.require_head()
            except DatabaseUnavailable as error:
                log.warning("The API has no database yet", extra={"action": "http_blind", "why": str(error)})
            self._server = self._listening(database)
        except BaseException:
            database.dispose()
            raise
        self._database = database

    def stop(self) -> None:
        """Accept no more connections and let requests under way end, within 5 seconds at most."""
        server, self._server = self._server, None
        database, self._database = self._database, None
        if server is not None:
            server.stop(timeout=_GRACE_SECONDS)
            log.info("The API has stopped", extra={"action": "http_stopped"})
        if database is not None:
            database.dispose()

    def _listening(self, database: Database) -> HttpServer:
        http = self._settings.http
        address = f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"
        most = _connections()
        # Half may be silent, a quarter may be streams; the last quarter is for ordinary requests.
        application = make_app(database, (*http.names, http.host), streams=Events(most // 4))
        server = HttpServer((http.host, http.port), application, most=most)
        try:
            server.start()
        except OSError as error:
            raise CannotListen(
                f"The API cannot listen on {address} ({os.strerror(error.errno or 0)})."
                " Set [http] Ip to an address of this machine and Port to one that is free."
            ) from None
        log.info("The API listens", extra={"action": "http_started", "address": f"http://{address}"})
        return server


def serve(settings: Settings, stop: Event) -> int:
    """Answer requests until `stop` is set. Returns 0; raises what Server.start raises."""
    server = Server(settings)
    server.start()
    try:
        stop.wait()
    finally:
        server.stop()
    return 0


def _connections() -> int:
    """How many connections the API may hold: half of the files that this process may open, since Asterisk and the
    database need some, too. Raises the process's limit as far as the system allows."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        files = most
    return _MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, files // 2)
