"""What a route takes: a handler, and the objects and the kind of answer that it asks for."""

from __future__ import annotations

from pathlib import Path

import bottle
import pytest
from webtest import TestApp

from api.answers import TEMPLATES, Page
from api.app import make_app
from api.refusals import Refused
from tests.support.fake_routines import NO_DATABASE, Installation
from worker.db.routines.projects import Projects
from worker.db.routines.trunks import Trunks
from worker.db.routines.upkeep import Upkeep
from worker.errors import DatabaseUnavailable
from worker.figures import Readiness

SCRIPT = "<script>alert('&')</script>"
ESCAPED = "&lt;script&gt;alert(&#039;&amp;&#039;)&lt;/script&gt;"


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
def made(installation: Installation) -> bottle.Bottle:
    return make_app(NO_DATABASE, stand_ins=installation.stand_ins())


@pytest.fixture
def app(made: bottle.Bottle) -> TestApp:
    return TestApp(made)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "layout.tpl").write_text("<html><body>{{!base}}</body></html>")
    (tmp_path / "project.tpl").write_text("% rebase('layout.tpl')\n<h1 title=\"{{name}}\">{{name}}</h1>\n")
    return tmp_path / "project.tpl"


def test_an_endpoint_is_a_route_with_a_handler(made: bottle.Bottle, app: TestApp) -> None:
    def waiting(project_id: str, projects: Projects, upkeep: Upkeep) -> dict[str, object]:
        return {"waiting": projects.get(project_id).cases_waiting, "readiness": upkeep.readiness()}

    made.get("/waiting/<project_id>", callback=waiting)
    assert app.get("/waiting/sales").json == {"waiting": 7, "readiness": list(Readiness([], app_troubles(app)))}
    assert "'nobody'" in app.get("/waiting/nobody", status=404).json["error"]


def app_troubles(app: TestApp) -> list[str]:
    troubles: list[str] = app.get("/readyz").json["troubles"]
    return troubles


def test_a_subject_that_nobody_plays_is_the_real_one(made: bottle.Bottle, app: TestApp) -> None:
    made.get("/kind", callback=lambda: None)  # a handler without parameters gets nothing

    def trunks(trunks: Trunks) -> dict[str, str]:
        return {"kind": type(trunks).__name__}

    made.get("/trunks", callback=trunks)
    assert app.get("/trunks").json == {"kind": "Trunks"}


def test_a_page_escapes_what_it_shows(made: bottle.Bottle, app: TestApp, template: Path) -> None:
    made.get("/page", callback=lambda: Page(template, name=SCRIPT), answer="html")
    answer = app.get("/page")
    assert answer.text == f'<html><body><h1 title="{ESCAPED}">{ESCAPED}</h1>\n</body></html>'
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in one or "http" in one for one in policy)


def test_a_page_that_is_refused_is_a_page(made: bottle.Bottle, app: TestApp, installation: Installation) -> None:
    def page(project_id: str, projects: Projects) -> Page:
        return Page(TEMPLATES / "refused.tpl", status=200, error=projects.get(project_id).state, remedy="")

    made.get("/page/<project_id:path>", callback=page, answer="html")
    assert "<h1>stopped</h1>" in app.get("/page/sales").text
    answer = app.get(f"/page/{SCRIPT}", status=404)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script>" not in answer.text
    assert "dialer_params" in answer.text
    installation.fails = DatabaseUnavailable("'calls' at db:5432", "connection refused")
    answer = app.get("/page/sales", status=503)
    assert "connection refused" in answer.text
    assert answer.headers["Retry-After"]
    installation.fails = RuntimeError("secret detail")
    assert "secret" not in app.get("/page/sales", status=500).text


def test_a_mistake_in_a_template_shows_nothing_of_itself(made: bottle.Bottle, app: TestApp, tmp_path: Path) -> None:
    (tmp_path / "broken.tpl").write_text("{{secret_detail}}")
    made.get("/page", callback=lambda: Page(tmp_path / "broken.tpl"), answer="html")
    answer = app.get("/page", status=500)
    assert "secret" not in answer.text
    assert "<h1>The request failed inside the dialer.</h1>" in answer.text


def test_a_handler_may_refuse_with_headers_of_its_own(made: bottle.Bottle, app: TestApp) -> None:
    def refuse() -> None:
        raise Refused(429, "Too often.", "Wait.", {"Retry-After": "7"})

    made.get("/json", callback=refuse)
    made.get("/html", callback=refuse, answer="html")
    answer = app.get("/json", status=429)
    assert (answer.json, answer.headers["Retry-After"]) == ({"error": "Too often.", "remedy": "Wait."}, "7")
    assert app.get("/html", status=429).headers["Retry-After"] == "7"


def test_a_kind_of_answer_that_nobody_knows_is_told_at_once(made: bottle.Bottle) -> None:
    made.get("/x", callback=lambda: None, answer="xml")
    with pytest.raises(KeyError, match="xml"):
        made.routes[-1].prepare()


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "api").rglob("*.tpl")), ids=lambda path: path.name)
def test_no_template_shows_a_value_as_it_is(path: Path) -> None:
    assert "{{!" not in path.read_text("utf-8").replace("{{!base}}", "")
