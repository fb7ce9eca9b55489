"""Whose a reply is, without a network."""

from __future__ import annotations

from math import inf

import pytest

from worker.ami.actions import UnsafeAction
from worker.ami.counters import Counters
from worker.ami.errors import AmiLinkLost, AmiTimeout
from worker.ami.message import Framer, Message
from worker.ami.pending import Pending, PendingActions
from worker.errors import DialerError


class Table:
    """The actions under way and what became of them."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.counters = Counters()
        self.actions = PendingActions(self.framer, self.counters)
        self.settled: dict[str, list[Message | DialerError]] = {}

    def add(self, action_id: str, *, due: float = inf, items: list[Message] | None = None) -> None:
        outcomes = self.settled[action_id] = []
        self.actions.add(action_id, Pending("Status", due, outcomes.append, items))


def reply(action_id: str, response: str = "Success") -> Message:
    return Message(f"Response: {response}\r\nActionID: {action_id}".encode())


def item(action_id: str, progress: str = "") -> Message:
    return Message(f"Event: Status\r\nActionID: {action_id}\r\nEventList: {progress}".encode())


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_reply_settles_its_action_once(table: Table) -> None:
    table.add("a")
    table.add("b")
    assert table.actions.take_reply(reply("b")) == "Status"
    assert table.actions.take_reply(reply("b")) is None
    assert [len(outcomes) for outcomes in table.settled.values()] == [0, 1]
    assert table.counters.strays == 1


def test_a_refusal_is_handed_over_and_not_taken_for_success(table: Table) -> None:
    items: list[Message] = []
    table.add("a", items=items)
    assert table.actions.take_reply(reply("a", "Error")) is None
    assert len(table.settled["a"]) == 1
    assert table.actions.lists == 0


def test_the_framer_passes_items_while_a_list_is_under_way(table: Table) -> None:
    assert table.framer.expect is None
    first: list[Message] = []
    table.add("a", items=first)
    table.add("b", items=[])
    table.actions.take_reply(reply("a"))
    assert table.actions.take_item(item("a"))
    assert not table.actions.take_item(item("somebody"))
    assert table.actions.take_item(item("a", "Complete"))
    assert (len(first), table.actions.lists) == (1, 1)
    assert table.framer.expect is not None
    table.actions.remove("b")
    assert table.framer.expect is None


def test_a_second_reply_to_a_list_is_a_forgery(table: Table) -> None:
    table.add("a", items=[])
    table.actions.take_reply(reply("a"))
    assert table.actions.take_reply(reply("a", "Error")) is None
    assert table.framer.tampered == 1
    assert table.settled["a"] == []


def test_an_action_id_is_free_again_when_its_action_is_settled(table: Table) -> None:
    table.add("a")
    with pytest.raises(UnsafeAction, match="a is under way"):
        table.actions.check_unused("a")
    table.actions.take_reply(reply("a"))
    table.actions.check_unused("a")


def test_what_is_overdue_is_given_up_the_rest_waits(table: Table) -> None:
    table.add("late", due=10.0)
    table.add("early", due=20.0)
    table.actions.give_up(15.0)
    assert isinstance(table.settled["late"][0], AmiTimeout)
    assert table.settled["early"] == []
    assert table.counters.timeouts == 1


def test_all_are_failed_whatever_a_callback_does(table: Table) -> None:
    def fail(_: Message | DialerError) -> None:
        table.actions.remove("taken back")
        raise ValueError("a mistake of the consumer")

    table.actions.add("a", Pending("Status", inf, fail))
    table.add("taken back")
    table.add("b")
    table.actions.fail(AmiLinkLost("gone"))
    assert table.settled["taken back"] == []
    assert isinstance(table.settled["b"][0], AmiLinkLost)
