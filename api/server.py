"""Serves the application on gevent until it is told to stop."""

from __future__ import annotations

import logging

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
        log.debug(
            "request", extra={"action": "http_request", "line": self.requestline, "status": self.status}
        )


def serve(settings: Settings, stop: Event) -> int:
    """Answer requests until `stop` is set, then let those under way end (5 seconds at most). Returns 0.

    A database that is down is no reason not to start: the answers and /readyz say so until it is back. One
    with another schema is: DatabaseNotAtHead.
    """
    database = Database(settings.database)
    try:
        try:
            database.require_head()
        except DatabaseUnavailable as error:
            log.warning(
                "The API starts without a database", extra={"action": "http_blind", "why": str(error)}
            )
        server = _started(settings, database)
        try:
            stop.wait()
        finally:
            server.stop(timeout=_GRACE_SECONDS)
            log.info("The API has stopped", extra={"action": "http_stopped"})
    finally:
        database.dispose()
    return 0


def _started(settings: Settings, database: Database) -> WSGIServer:
    address = f"{settings.http.host}:{settings.http.port}"
    server = WSGIServer(
        (settings.http.host, settings.http.port),
        make_app(database),
        handler_class=_Handler,
        log=None,
        error_log=LoggingLogAdapter(log, logging.ERROR),
    )
    try:
        server.start()
    except OSError as error:
        raise CannotListen(
            f"The API cannot listen on {address} ({error.strerror})."
            " Set [http] Ip to an address of this machine and Port to one that is free."
        ) from None
    log.info("The API listens", extra={"action": "http_started", "address": f"http://{address}"})
    return server
