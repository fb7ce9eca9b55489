"""The original's control, `GET /?action=start|stop&projectid=ID`, and views of the projects.

Starting a project that runs is not an error: the answer says `changed: false`. That a GET acts is the original's
contract; api/guard.py keeps out those that nobody meant.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import bottle

from api.guard import acts, has_control
from api.refusals import Refused
from worker.db.routines.projects import Projects
from worker.figures import ProjectFigures

ACTIONS = ("start", "stop", "pause")
_REMEDY = "Ask GET /?action=start&projectid=ID; action is start, stop or pause (which is stop)."


def index_or_control(projects: Projects) -> dict[str, Any]:
    """`GET /`: carries out an action; without any parameter, says what can be asked."""
    if not acts():
        paths = [route.rule.replace("<project_id:path>", "ID") for route in bottle.request.app.routes]
        return {
            "service": "dialer",
            "control": "GET /?action=start|stop|pause&projectid=ID",
            "paths": [path for path in paths if path != "/"],
        }
    action = _parameter("action").lower()
    if action not in ACTIONS:
        raise Refused(400, f"There is no action {action[:40]!r}.", _REMEDY)
    project_id = _parameter("projectid")
    status = projects.start(project_id) if action == "start" else projects.stop(project_id)
    return {**asdict(status), "action": action}


def all_projects(projects: Projects) -> dict[str, list[ProjectFigures]]:
    """`GET /projects`: every project, whether it was started, and its state."""
    return {"projects": projects.all()}


def project(project_id: str, projects: Projects) -> ProjectFigures:
    """`GET /projects/ID`: one project."""
    return projects.get(project_id)


def _parameter(name: str) -> str:
    """The one value of a parameter; raises the refusal if there is none or more than one."""
    values = bottle.request.query.getall(name)
    if len(values) > 1:
        raise Refused(400, f"The parameter {name} was given {len(values)} times.", "Give it once.")
    try:
        # Bottle gives query texts as WSGI does: bytes disguised as Latin-1.
        value: str = values[0].encode("latin-1").decode("utf-8") if values else ""
    except UnicodeDecodeError:
        raise Refused(400, f"The parameter {name} is not UTF-8.", "Encode the address as UTF-8.") from None
    if not value.strip():
        raise Refused(400, f"The parameter {name} is missing.", _REMEDY)
    if has_control(value):
        raise Refused(400, f"The parameter {name} holds a control character.", "Remove it.")
    return value
