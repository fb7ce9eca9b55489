"""What keeps a project or a trunk from being served is told, told again while it lasts, and told to be over."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.support.fake_database import FakeDatabase
from worker.clock import VirtualClock
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import Ownership
from worker.troubles import RETRY_SECONDS, SETTLED_SECONDS, TELL_AGAIN_SECONDS, Troubles


class Setup:
    def __init__(self) -> None:
        self.clock = VirtualClock(1_800_000_000.0)
        self.database = FakeDatabase()
        self.troubles = Troubles(self.database.as_database(), self.clock, Ownership(4, "default", 9))

    def told(self) -> list[tuple[Any, ...]]:
        """What is written now."""
        self.database.troubles.clear()
        self.troubles.write()
        return list(self.database.troubles)

    def pass_time(self, seconds: float) -> None:
        self.clock.run_until(self.clock.time() + seconds)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_a_trouble_is_told_at_once_and_again_while_it_lasts(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.troubles.note("project", "p", "claim", "no cases")
    assert setup.told() == [("project", "p", "claim", "no cases")]
    setup.troubles.note("project", "p", "claim", "no cases")
    assert setup.told() == []
    setup.pass_time(TELL_AGAIN_SECONDS)
    assert setup.told() == [("project", "p", "claim", "no cases")]
    setup.troubles.note("project", "p", "claim", None)
    assert setup.told() == [("project", "p", "claim", None)]
    setup.pass_time(TELL_AGAIN_SECONDS)
    assert setup.told() == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_one_that_comes_back_soon_is_one_warning(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        setup.troubles.note("trunk", "t", "end", "one end waits")
        assert setup.told() == [("trunk", "t", "end", "one end waits")]
        setup.troubles.note("trunk", "t", "end", None)
        assert setup.told() == [("trunk", "t", "end", None)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    setup.pass_time(SETTLED_SECONDS)
    setup.told()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    setup.troubles.note("trunk", "t", "end", "one end waits")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_what_was_no_trouble_is_not_told_to_be_over(setup: Setup) -> None:
    setup.troubles.note("project", "p", "claim", None)
    assert setup.told() == []


def test_other_words_for_the_same_trouble_do_not_write_all_the_time(setup: Setup) -> None:
    setup.troubles.note("trunk", "t", "end", "one end waits")
    setup.told()
    setup.troubles.note("trunk", "t", "end", "two ends wait")
    assert setup.told() == []
    setup.pass_time(RETRY_SECONDS)
    assert setup.told() == [("trunk", "t", "end", "two ends wait")]


def test_one_that_cannot_be_written_keeps_no_other_from_being(setup: Setup) -> None:
    def held(arguments: list[Any]) -> None:
        if arguments[4] == "p":
            raise StatementTimedOut("of this test", 1, "somebody holds that row")

    setup.database.before["dialer_trouble_report"] = held
    setup.troubles.note("project", "p", "claim", "no cases")
    setup.troubles.note("project", "q", "claim", "no cases")
    assert [trouble[1] for trouble in setup.told()] == ["q"]
    setup.database.before.clear()
    assert setup.told() == []
    setup.pass_time(RETRY_SECONDS)
    assert [trouble[1] for trouble in setup.told()] == ["p"]


def test_an_outage_of_the_database_forgets_nothing(setup: Setup) -> None:
    setup.troubles.note("project", "p", "claim", "no cases")
    setup.database.down = True
    with pytest.raises(DatabaseUnavailable):
        setup.troubles.write()
    setup.database.down = False
    assert len(setup.told()) == 1


def test_one_that_is_over_before_it_could_be_written_is_told_to_be_over(setup: Setup) -> None:
    def over(_: list[Any]) -> None:
        setup.database.before.clear()
        setup.troubles.note("project", "p", "claim", None)

    setup.database.before["dialer_trouble_report"] = over
    setup.troubles.note("project", "p", "claim", "no cases")
    assert setup.told() == [("project", "p", "claim", "no cases")]
    assert setup.told() == [("project", "p", "claim", None)]


def test_the_log_has_the_place_of_an_unforeseen_error(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        setup.troubles.note("project", "p", "dial", "it cannot be dialled: 'x'", KeyError("x"))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert (record.__dict__["kind"], record.__dict__["subject"], record.__dict__["step"]) == ("project", "p", "dial")
