"""`dialer why`, on a database."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest

from dialer.why import run
from tests.support.caller import Caller
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.errors import NoNumber


def told(db: Database, number: str, **options: Any) -> str:
    stream = StringIO()
    assert run(db.settings, number, 100, stream=stream, **options) == 0
    return stream.getvalue()


@pytest.fixture
def called(caller: Caller) -> int:
    """A case of a running project, called once and waiting for its redial."""
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db, phone_number="+74951234567", call_back=True, call_back_period="600000,1")
    caller.call(case, "BUSY")
    return case


def test_it_prints_a_fact_per_line(caller: Caller, called: int) -> None:
    text = told(caller.db, "+7 495 123-45-67")
    assert text.splitlines()[0] == "+74951234567"
    assert f"case {called} of project p: redial; until 2027-" in text
    assert "BUSY" in text
    assert "\x1b" not in text, "no colours where nobody looks"


def test_for_programs_it_prints_json(caller: Caller, called: int) -> None:
    found = json.loads(told(caller.db, "+74951234567", as_json=True))
    assert found["number"] == "+74951234567"
    assert [case["case_id"] for case in found["cases"]] == [called]
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["BUSY"]
    assert found["next"][0]["at"] == found["cases"][0]["next_at"]
    assert (found["next"][0]["project_id"], found["rules"]) == ("p", [])


def test_what_is_no_number_is_said(caller: Caller) -> None:
    with pytest.raises(NoNumber):
        told(caller.db, "anna")
