"""The original's control, `GET /?action=start|stop&projectid=ID`, and the projects to look at.

Starting what runs is not an error: the answer says `changed: false`. A GET that acts is the original's
contract; it is guarded against those that nobody meant: HEAD, a browser's prefetch, an image in a page of
another site.
"""

from __future__ import annotations

import unicodedata
from dataclasses import asdict
from typing import Any

import bottle

from api.plugin import Db, refusal

ACTIONS = ("start", "stop", "pause")
_REMEDY = "Ask GET /?action=start&projectid=ID; action is start, stop or pause (which is stop)."


def index_or_control(db: Db) -> Any:
    """`GET /`: carries out an action, or says what can be asked when there is no parameter at all."""
    if not bottle.request.query:
        return {
            "service": "dialer",
            "control": "GET /?action=start|stop|pause&projectid=ID",
            "projects": "GET /projects, /projects/ID, /projects/ID/stats",
            "health": "GET /healthz, /readyz",
        }
    problem = _not_meant()
    if problem is not None:
        return problem
    action = _parameter("action").lower()
    if action not in ACTIONS:
        return refusal(400, f"There is no action {action[:40]!r}.", _REMEDY)
    project_id = _parameter("projectid")
    status = db.start(project_id) if action == "start" else db.stop(project_id)
    return {**asdict(status), "action": action}


def projects(db: Db) -> Any:
    """`GET /projects`: every project with what was asked of it and what it does."""
    return {"projects": db.projects()}


def project(project_id: str, db: Db) -> Any:
    """`GET /projects/ID`: one project."""
    return db.project(project_id)


def _parameter(name: str) -> str:
    """The one value of a parameter; raises the refusal if there is none or more than one."""
    values = bottle.request.query.getall(name)
    if len(values) > 1:
        raise refusal(400, f"The parameter {name} was given {len(values)} times.", "Give it once.")
    try:
        # Bottle gives query texts as WSGI has them: bytes in the guise of Latin-1.
        value: str = values[0].encode("latin-1").decode("utf-8") if values else ""
    except UnicodeDecodeError:
        raise refusal(400, f"The parameter {name} is not UTF-8.", "Encode the address as UTF-8.") from None
    if not value.strip():
        raise refusal(400, f"The parameter {name} is missing.", _REMEDY)
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise refusal(400, f"The parameter {name} holds a control character.", "Remove it.")
    return value


def _not_meant() -> bottle.HTTPResponse | None:
    """Why this request is not somebody's wish to start or stop a project; None if it is."""
    if bottle.request.method != "GET":
        return refusal(405, "A HEAD request starts and stops nothing.", "Use GET.", Allow="GET")
    header = bottle.request.get_header
    purpose = f"{header('Sec-Purpose', '')} {header('Purpose', '')} {header('X-Moz', '')}".lower()
    if "prefetch" in purpose or "preview" in purpose:
        return refusal(403, "A browser fetched this address in advance; nothing was done.", "Open it yourself.")
    # A page of another site may link to us; it may not hide us in an image, a script or a frame.
    if header("Sec-Fetch-Site") == "cross-site" and header("Sec-Fetch-Dest") != "document":
        return refusal(403, "A page of another site asked for this; nothing was done.", "Ask from your own pages.")
    return None
