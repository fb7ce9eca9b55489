"""The HTTP interface over a database that is played: statuses, JSON, guards."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from sqlalchemy.exc import ProgrammingError
from webtest import TestApp

from api.app import make_app
from tests.support.fake_routines import NO_DATABASE, STOPPED, Installation
from worker.errors import DatabaseNotAtHead, DatabaseUnavailable, LockTimedOut

HERE = "192.0.2.1:8080"


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
def app(installation: Installation) -> TestApp:
    made = make_app(NO_DATABASE, ["dialer.example.com"], stand_ins=installation.stand_ins())
    return TestApp(made, extra_environ={"HTTP_HOST": HERE})


def test_start_answers_with_the_state_of_the_project(app: TestApp) -> None:
    answer = app.get("/?action=start&projectid=sales")
    assert answer.json == {
        "project_id": "sales",
        "action": "start",
        "wanted": "start",
        "state": "running",
        "reason": None,
        "since_at": "2026-03-01T09:00:00+00:00",
        "until_at": None,
        "changed": True,
        "calls_up": 0,
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_starting_what_runs_is_not_an_error(app: TestApp) -> None:
    app.get("/?action=start&projectid=sales")
    again = app.get("/?action=start&projectid=sales", status=200)
    assert (again.json["changed"], again.json["state"]) == (False, "running")


@pytest.mark.parametrize("action", ["stop", "pause", "STOP"])
def test_stop_and_pause_stop_and_tell_the_calls_that_are_up(
    app: TestApp, installation: Installation, action: str
) -> None:
    app.get("/?action=start&projectid=sales")
    answer = app.get(f"/?action={action}&projectid=sales")
    assert answer.json["action"] == action.lower()
    assert (answer.json["wanted"], answer.json["calls_up"], answer.json["changed"]) == ("stop", 3, True)
    assert installation.status["sales"].wanted == "stop"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("action=restart&projectid=sales", "no action 'restart'"),
        ("projectid=sales", "action is missing"),
        ("action=start", "projectid is missing"),
        ("action=start&projectid=", "projectid is missing"),
        ("action=start&projectid=sales&projectid=other", "2 times"),
        ("action=start&projectid=a%00b", "control character"),
        ("action=start&projectid=%ff", "not UTF-8"),
        ("foo=1", "action is missing"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(app: TestApp, installation: Installation, query: str, told: str) -> None:
    answer = app.get(f"/?{query}", status=400)
    assert told in answer.json["error"]
    assert answer.json["remedy"]
    assert installation.asked == []


def test_an_unknown_project_is_not_found(app: TestApp) -> None:
    for path in ("/?action=start&projectid=nobody", "/?action=stop&projectid=nobody", "/projects/nobody"):
        answer = app.get(path, status=404)
        assert "'nobody'" in answer.json["error"]
        assert "dialer_params" in answer.json["remedy"]
    app.get("/projects/nobody/stats", status=404)


def test_without_parameters_the_index_is_told_and_nothing_done(app: TestApp, installation: Installation) -> None:
    told = app.get("/").json
    assert "projectid=ID" in told["control"]
    assert told["paths"] == ["/projects", "/projects/ID/stats", "/projects/ID", "/healthz", "/readyz"]
    assert installation.asked == []


def test_projects_one_project_and_its_numbers(app: TestApp) -> None:
    assert [one["project_id"] for one in app.get("/projects").json["projects"]] == ["sales", "a/b", "Ünïcode"]
    assert app.get("/projects/sales").json["state"] == "stopped"
    statistics = app.get("/projects/sales/stats").json
    assert (statistics["project"]["project_id"], statistics["project"]["abandon_rate"]) == ("sales", 0.025)
    assert set(statistics) == {"project", "pacing", "outcomes", "hours", "agents"}


@pytest.mark.parametrize("project_id", ["a/b", "Ünïcode"])
def test_a_project_may_be_called_anything(app: TestApp, project_id: str) -> None:
    assert app.get(f"/projects/{quote(project_id)}").json["project_id"] == project_id
    assert app.get(f"/projects/{quote(project_id)}/stats").json["project"]["project_id"] == project_id
    assert app.get("/", {"action": "start", "projectid": project_id}).json["project_id"] == project_id


@pytest.mark.parametrize(
    "path", ["/?action=stop&projectid=sales", "/projects", "/projects/sales", "/projects/sales/stats"]
)
def test_a_database_that_is_down_is_503_and_worth_another_try(
    app: TestApp, installation: Installation, path: str
) -> None:
    installation.fails = DatabaseUnavailable("'calls' at db:5432", "connection refused")
    answer = app.get(path, status=503)
    assert "connection refused" in answer.json["error"]
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_database_that_is_not_at_head_names_the_command(app: TestApp, installation: Installation) -> None:
    installation.fails = DatabaseNotAtHead("'calls' at db:5432", None, "0001")
    assert app.get("/projects", status=503).json["remedy"] == "Run `dialer migrate`."
    installation.fails = DatabaseNotAtHead("'calls' at db:5432", "0009", "0001", newer=True)
    assert "Install that one" in app.get("/projects", status=503).json["remedy"]


def test_a_mistake_in_the_program_shows_nothing_of_itself(app: TestApp, installation: Installation) -> None:
    installation.fails = RuntimeError("secret detail")
    answer = app.get("/projects", status=500)
    assert "secret" not in answer.text
    assert answer.json["remedy"]


REFUSED = ProgrammingError("SELECT 1", {}, Exception('relation "dialer_projects" does not exist\nLINE 1: …'))


@pytest.mark.parametrize("path", ["/?action=stop&projectid=sales", "/projects", "/projects/sales/stats"])
def test_what_the_server_refuses_is_503_with_its_reason(app: TestApp, installation: Installation, path: str) -> None:
    installation.fails = REFUSED
    answer = app.get(path, status=503)
    assert 'relation "dialer_projects" does not exist.' in answer.json["error"]
    assert "dialer check" in answer.json["remedy"]


def test_a_lock_that_somebody_holds_is_503_and_names_the_way_out(app: TestApp, installation: Installation) -> None:
    installation.fails = LockTimedOut("'calls' at db:5432", None, "canceling statement due to lock timeout")
    answer = app.get("/?action=stop&projectid=sales", status=503)
    assert "open transaction" in answer.json["error"]
    assert "commit" in answer.json["remedy"]
    assert answer.headers["Retry-After"]


def test_healthz_lives_without_a_database(app: TestApp, installation: Installation) -> None:
    installation.fails = DatabaseUnavailable("'calls' at db:5432", "connection refused")
    assert app.get("/healthz").json == {"status": "ok"}


def test_readyz_gives_the_reasons(app: TestApp, installation: Installation) -> None:
    assert app.get("/readyz", status=200).json["status"] == "ready"
    installation.reasons = ["no live worker owns an Asterisk"]
    answer = app.get("/readyz", status=503)
    assert answer.json["reasons"] == ["no live worker owns an Asterisk"]
    assert answer.headers["Retry-After"]
    for fails, told in (
        (DatabaseUnavailable("'calls' at db:5432", "connection refused"), "connection refused"),
        (REFUSED, 'relation "dialer_projects" does not exist.'),
        (RuntimeError("secret detail"), "failed inside the dialer"),
    ):
        installation.fails = fails
        (reason,) = app.get("/readyz", status=503).json["reasons"]
        assert told in reason
        assert "secret" not in reason


def test_the_troubles_of_some_make_nothing_unready(app: TestApp) -> None:
    assert app.get("/readyz", status=200).json == {
        "status": "ready",
        "reasons": [],
        "troubles": ["trunk east on default: somebody holds its row"],
    }


@pytest.mark.parametrize("path", ["/projects/%00", "/projects/a%0ab/stats", "/%7f", "/projects/%c2%85"])
def test_a_control_character_in_a_path_is_told(app: TestApp, installation: Installation, path: str) -> None:
    assert "control character" in app.get(path, status=400).json["error"]
    assert installation.asked == []


def test_a_path_that_is_not_utf_8_names_no_other_project(app: TestApp, installation: Installation) -> None:
    assert "not UTF-8" in app.get("/projects/sal%ffes", status=400).json["error"]
    assert installation.asked == []


def test_a_head_request_acts_on_nothing(app: TestApp, installation: Installation) -> None:
    assert app.head("/?action=start&projectid=sales", status=405).headers["Allow"] == "GET"
    assert installation.asked == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.0.2.1.evil.example", "[::1", "@", "a,b"])
@pytest.mark.parametrize("path", ["/", "/?action=stop&projectid=sales", "/projects", "/healthz", "/nothing"])
def test_a_name_that_is_not_ours_was_bent_to_us(app: TestApp, installation: Installation, host: str, path: str) -> None:
    answer = app.get(path, extra_environ={"HTTP_HOST": host}, status=421)
    assert "Names in [http]" in answer.json["remedy"]
    assert installation.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.0.2.1:8080",
        "[2001:db8::1]:8080",
        "LOCALHOST:1234",
        "dialer.example.com",
        "Dialer.Example.com.:80",
        socket.gethostname(),
        "",
    ],
)
def test_addresses_our_names_and_programs_that_name_nobody_are_answered(app: TestApp, host: str) -> None:
    app.get("/projects", extra_environ={"HTTP_HOST": host}, status=200)


def fetched(site: str, mode: str = "navigate", dest: str = "document", user: str | None = "?1") -> dict[str, str]:
    """What a browser says of a request over TLS, or to its own machine."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest, "Sec-Fetch-User": user}
    return {name: value for name, value in headers.items() if value}


@pytest.mark.parametrize("action", ["start", "stop", "pause"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        fetched("cross-site", "no-cors", "image", None),
        fetched("cross-site", user=None),  # a script's or a meta element's navigation
        fetched("cross-site", dest="iframe"),
        fetched("same-site", "cors", "empty", None),
        fetched("same-site", user=None),
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://192.0.2.1:81"},  # another service of the same machine
        {"Referer": "http://evil.example/page"},
        {"Referer": "http://[evil"},
        {"Referer": f"http://evil.example/?{HERE}"},
        {"Referer": f"http://{HERE}@evil.example/"},
    ],
)
def test_what_nobody_asked_for_acts_on_nothing(
    app: TestApp, installation: Installation, headers: dict[str, str], action: str
) -> None:
    answer = app.get(f"/?action={action}&projectid=sales", headers=headers, status=403)
    assert "nothing was done" in answer.json["error"]
    assert installation.asked == []
    app.get("/projects/sales", headers=headers, status=200)  # to look is no act


@pytest.mark.parametrize(
    "headers",
    [
        {},  # curl, wget, the scripts of the original
        fetched("cross-site"),
        fetched("same-site"),
        fetched("none"),
        fetched("same-origin", "cors", "empty", None),
        {"Origin": f"http://{HERE}"},
        {"Origin": "https://192.0.2.1:8080"},
        {"Referer": f"http://{HERE}/projects"},
        fetched("cross-site") | {"Referer": "https://wiki.example/"},
    ],
)
def test_what_a_person_or_a_program_asks_for_is_done(app: TestApp, headers: dict[str, str]) -> None:
    assert app.get("/?action=start&projectid=sales", headers=headers).json["changed"]


def test_an_address_without_its_port_is_the_usual_one(app: TestApp) -> None:
    path = "/?action=start&projectid=sales"
    named = {"HTTP_HOST": "dialer.example.com"}
    app.get(path, headers={"Origin": "https://dialer.example.com:443"}, extra_environ=named, status=200)
    app.get(path, headers={"Origin": "https://dialer.example.com:8443"}, extra_environ=named, status=403)


def test_other_paths_and_methods_answer_in_json(app: TestApp) -> None:
    assert "'/nothing'" in app.get("/nothing", status=404).json["error"]
    answer = app.post("/projects", status=405)
    assert "POST" in answer.json["error"]
    assert answer.headers["Allow"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_instants_are_utc(app: TestApp, installation: Installation) -> None:
    installation.status["sales"] = replace(STOPPED, since_at=datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert app.get("/projects/sales").json["since_at"] == "2026-01-01T05:00:00+00:00"
