"""The kinds of answer: JSON and pages here, streams of events in events.py.

A route names its kind, app.get("/x", callback=x, answer="html"); without one it answers in JSON. The kind turns what
the handler returns, or the refusal that it ends with, into a response (plugin.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import bottle

from api.refusals import Refused

TEMPLATES = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'"
)
"""A page may load only files from this server, so a name that contains a script runs nothing."""


class Kind(Protocol):
    """A kind of answer. A handler may also return or raise a bottle.HTTPResponse of its own."""

    def answer(self, value: Any, /) -> bottle.HTTPResponse:
        """The response for what a handler has returned."""
        ...

    def refusal(self, refused: Refused, /) -> bottle.HTTPResponse:
        """The response for a refusal."""
        ...


def response(body: Any, content_type: str, status: int = 200) -> bottle.HTTPResponse:
    """A response that nobody may cache: a state is true only now, and a repeated control acts again."""
    made = bottle.HTTPResponse(body, status)
    made.set_header("Content-Type", content_type)
    made.set_header("Cache-Control", "no-store")
    made.set_header("X-Content-Type-Options", "nosniff")
    return made


class Json:
    """Dicts, lists and dataclasses, with instants by UTC. A refusal is {"error": sentence, "remedy": what to do}."""

    def answer(self, value: Any, /, status: int = 200) -> bottle.HTTPResponse:
        return response(as_json(value) + "\n", "application/json; charset=utf-8", status)

    def refusal(self, refused: Refused, /) -> bottle.HTTPResponse:
        return _with(refused, self.answer({"error": refused.error, "remedy": refused.remedy}, refused.status))


def as_json(value: Any) -> str:
    """JSON on one line. Raises TypeError for what JSON cannot express."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Page:
    """A page: a template and the values that it shows.

    template: a file in the language of bottle's SimpleTemplate, which escapes what {{ }} shows. It may include other
    templates of its folder, or be set into one of them (rebase). Each is read once per process.
    """

    def __init__(self, template: Path, /, **values: object) -> None:
        self._template = template
        self._values = values

    def render(self) -> str:
        """The HTML."""
        html: str = _compiled(self._template).render(self._values)
        return html


@cache
def _compiled(path: Path) -> bottle.SimpleTemplate:
    return bottle.SimpleTemplate(name=path.name, lookup=[str(path.parent)])


class Html:
    """Pages. A refusal is a page, too."""

    def answer(self, value: Page, /, status: int = 200) -> bottle.HTTPResponse:
        made = response(value.render(), "text/html; charset=utf-8", status)
        made.set_header("Content-Security-Policy", _POLICY)
        return made

    def refusal(self, refused: Refused, /) -> bottle.HTTPResponse:
        page = Page(TEMPLATES / "refused.tpl", status=refused.status, error=refused.error, remedy=refused.remedy)
        return _with(refused, self.answer(page, refused.status))


def _with(refused: Refused, made: bottle.HTTPResponse) -> bottle.HTTPResponse:
    for name, value in refused.headers.items():
        made.set_header(name, value)
    return made
