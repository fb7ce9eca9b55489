"""Serves the application on gevent until it is told to stop."""

from __future__ import annotations

import logging
import os

from gevent.event import Event
from gevent.pywsgi import LoggingLogAdapter, WSGIHandler, WSGIServer

from api.app import make_app
from worker.config import Settings
from worker.db import Database
from worker.errors import DatabaseUnavailable, DialerError

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0


class CannotListen(DialerError):  # noqa: N818
    """The address of [http] cannot be used."""


class _Handler(WSGIHandler):
    """Without gevent's own line per request on stdout; at loglevel 3 there is one in the log."""

    def log_request(self) -> None:
        log.debug("request", extra={"action": "http_request", "line": self.requestline, "status": self.code})


class Server:
    """The API of one process. Starting twice, stopping twice and stopping before starting are harmless."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Listen and answer in the background.

        A database that is down is no reason not to start: the answers and /readyz say so until it is back.
        One with another schema is: DatabaseNotAtHead. CannotListen if the address cannot be had.
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
        """Accept nothing more and let what is under way end, 5 seconds at most."""
        server, self._server = self._server, None
        database, self._database = self._database, None
        if server is not None:
            server.stop(timeout=_GRACE_SECONDS)
            log.info("The API has stopped", extra={"action": "http_stopped"})
        if database is not None:
            database.dispose()

    def _listening(self, database: Database) -> WSGIServer:
        http = self._settings.http
        address = f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"
        errors = LoggingLogAdapter(log, logging.ERROR)
        server = WSGIServer(
            (http.host, http.port), make_app(database), handler_class=_Handler, log=None, error_log=errors
        )
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
