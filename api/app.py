"""The HTTP application: routes, nothing else. It asks the database and never talks to Asterisk."""

from __future__ import annotations

from collections.abc import Collection

import bottle

from api import control, health, stats
from api.answers import Html, Json
from api.events import Events
from api.guard import guard
from api.plugin import AnswerPlugin, RoutinesPlugin
from api.refusals import Refused
from worker.db import Database
from worker.db.routines.base import Routines

_NOT_FOUND = "See GET / for what can be asked."


def make_app(
    database: Database,
    names: Collection[str] = (),
    *,
    streams: Events | None = None,
    stand_ins: Collection[Routines] = (),
) -> bottle.Bottle:
    """The application over one database.

    names: host names besides the machine's own. streams: the kind of answer for streams of events, which limits their
    number; by default the usual one. stand_ins: for tests, objects that handlers get in place of the class that they
    derive from.
    """
    app = bottle.Bottle()
    app.config["json.enable"] = False  # the kind of answer does more than bottle's own JSON
    app.add_hook("before_request", guard(names))
    app.install(AnswerPlugin({"json": Json(), "html": Html(), "events": streams or Events()}))
    app.install(RoutinesPlugin(database, stand_ins))
    app.get("/", callback=control.index_or_control)
    app.get("/projects", callback=control.all_projects)
    # An ID is any text that a DBA inserted, slashes included.
    app.get("/projects/<project_id:path>/stats", callback=stats.project_statistics)
    app.get("/projects/<project_id:path>", callback=control.project)
    app.get("/healthz", callback=health.alive)
    app.get("/readyz", callback=health.ready)
    app.default_error_handler = _no_route
    for route in app.routes:
        route.prepare()  # an unknown kind of answer or parameter shows now, not at the first request
    return app


def _no_route(error: bottle.HTTPError) -> str:
    """Bottle's own errors (no such path, wrong method, bad request), in JSON like all others."""
    path = bottle.request.path[:100]
    told = {
        404: f"There is nothing at {path!r}.",
        405: f"{bottle.request.method} is not allowed at {path!r}.",
    }
    sentence = told.get(error.status_code, str(error.status_line))
    found = Json().refusal(Refused(error.status_code, sentence, _NOT_FOUND))
    for name, value in found.headerlist:
        bottle.response.set_header(name, value)
    body: str = found.body
    return body
