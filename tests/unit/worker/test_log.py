"""The log: one line a fact, no number, no forged line."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from worker import log
from worker.config import Secret


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    for package in log.OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.NOTSET)
    logging.captureWarnings(False)
    logging.raiseExceptions = True


def test_facts_follow_the_text_and_the_instant_is_utc(stream: io.StringIO) -> None:
    log.setup(2, stream)
    facts = {"attempt_id": 7, "action": "attempt_ended", "outcome": "NO ANSWER", "ring": 1.5, "agent": None}
    before = datetime.now(UTC)
    logging.getLogger("worker.tracker").info("attempt ended", extra=facts)
    line = stream.getvalue()
    assert line.endswith(
        ' INFO worker.tracker attempt ended action=attempt_ended attempt_id=7 outcome="NO ANSWER" ring=1.5 agent=-\n'
    )
    instant = line.split()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", instant)
    assert abs((datetime.fromisoformat(instant) - before).total_seconds()) < 5


@pytest.mark.parametrize(("loglevel", "said"), [(1, {"e"}), (2, {"e", "w", "i"}), (3, {"e", "w", "i", "d"})])
def test_levels_are_the_originals(stream: io.StringIO, loglevel: int, said: set[str]) -> None:
    log.setup(loglevel, stream)
    ours = logging.getLogger("worker.x")
    ours.error("e")
    ours.warning("w")
    ours.info("i")
    ours.debug("d")
    assert {line.split()[3] for line in stream.getvalue().splitlines()} == said


def test_libraries_are_quiet_but_for_trouble(stream: io.StringIO) -> None:
    log.setup(3, stream)
    library = logging.getLogger("sqlalchemy.engine")
    library.info("chatter")
    library.warning("trouble")
    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


def test_a_second_setup_replaces_the_first(stream: io.StringIO) -> None:
    log.setup(2, io.StringIO())
    log.setup(2, stream)
    logging.getLogger("api").info("once")
    assert stream.getvalue().count("once") == 1


def test_hostile_text_stays_on_its_line(stream: io.StringIO) -> None:
    log.setup(2, stream)
    logging.getLogger("worker").info("caller a\nb\x1b[31m", extra={"action": "x\ny\x9b", "name_": 'q" z'})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()
    assert r'action="x\ny\x9b" name_="q\" z"' in stream.getvalue()


def test_numbers_and_secrets_stay_out(stream: io.StringIO) -> None:
    log.setup(3, stream)
    facts = {"phone_number": "+491701234567", "password": Secret("hush")}
    logging.getLogger("worker").info("dialling %s", log.masked("+491701234567"), extra=facts)
    assert "dialling ***4567 phone_number=***4567 password=***" in stream.getvalue()


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+491701234567", "***4567"), ("555123", "***23"), ("110", "***"), ("***555123", "***5123"), (None, "-")],
)
def test_a_number_in_a_line_is_masked_once(stream: io.StringIO, number: str | None, shown: str) -> None:
    log.setup(2, stream)
    for fact in (number, log.masked(number)):
        logging.getLogger("worker").info("dialling", extra={"number": fact})
    assert stream.getvalue().count(f" number={shown}\n") == 2


@pytest.mark.usefixtures("stream")
def test_a_log_that_nobody_takes_any_more_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    closed = io.StringIO()
    closed.close()
    log.setup(2, closed)
    logging.getLogger("worker").info("to nobody")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+491701234567", "***4567"), ("555123", "***23"), ("110", "***"), ("", "-"), (None, "-")],
)
def test_masked_numbers(number: str | None, shown: str) -> None:
    assert log.masked(number) == shown


def test_an_error_is_named_on_the_line_and_traced_only_at_debug(stream: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise ValueError("no such\nthing")
        except ValueError:
            logging.getLogger("worker").exception("turn failed", extra={"action": "turn_failed"})

    log.setup(2, stream)
    fail()
    assert stream.getvalue().count("\n") == 1
    assert r'error="ValueError: no such\nthing" at=' in stream.getvalue()
    log.setup(3, stream)
    fail()
    assert "\n    Traceback" in stream.getvalue()


@pytest.mark.parametrize("loglevel", [2, 3])
def test_the_row_that_a_database_refuses_stays_out(stream: io.StringIO, loglevel: int) -> None:
    """A constraint of a DBA's, for one."""
    said = 'new row violates check constraint "theirs"\nDETAIL:  Failing row contains (Ivan, 79991230642).'
    refused = IntegrityError("UPDATE t", {"a": 79991230642}, Exception(said), hide_parameters=True)
    log.setup(loglevel, stream)
    try:
        raise refused
    except IntegrityError:
        logging.getLogger("worker").exception("refused", extra={"action": "refused", "why": str(refused)})
    assert "violates check constraint" in stream.getvalue()
    assert "Ivan" not in stream.getvalue()
    assert "0642" not in stream.getvalue()
