"""The HTTP application: routes, nothing else. It asks the database and never talks to Asterisk."""

from __future__ import annotations

from collections.abc import Collection

import bottle

from api import control, health, stats
from api.guard import guard
from api.plugin import DatabasePlugin, Db, JsonPlugin, Procedures, refusal
from worker.db import Database
from worker.db import procedures as sql

_NOT_FOUND = "See GET / for what can be asked."


def make_app(database: Database, names: Collection[str] = (), procedures: Procedures = sql) -> bottle.Bottle:
    """The application over one database. `names`: what it is called besides the machine's own name; `procedures` can
    be replaced by a test."""
    app = bottle.Bottle()
    app.config["json.enable"] = False  # JsonPlugin does more than bottle's own
    app.add_hook("before_request", guard(names))
    app.install(JsonPlugin())
    app.install(DatabasePlugin(Db(database, procedures)))
    app.get("/", callback=control.index_or_control)
    app.get("/projects", callback=control.projects)
    # An ID is any text that a DBA inserted, slashes included.
    app.get("/projects/<project_id:path>/stats", callback=stats.statistics)
    app.get("/projects/<project_id:path>", callback=control.project)
    app.get("/healthz", callback=health.alive)
    app.get("/readyz", callback=health.ready)
    app.default_error_handler = _no_route
    return app


def _no_route(error: bottle.HTTPError) -> str:
    """Bottle's own errors (no such path, wrong method, bad request), as JSON like all others."""
    path = bottle.request.path[:100]
    told = {
        404: f"There is nothing at {path!r}.",
        405: f"{bottle.request.method} is not allowed at {path!r}.",
    }
    found = refusal(error.status_code, told.get(error.status_code, str(error.status_line)), _NOT_FOUND)
    for name, value in found.headerlist:
        bottle.response.set_header(name, value)
    body: str = found.body
    return body
