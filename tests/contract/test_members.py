"""Who is in a queue, by which telephone they are known, and by which name the queue goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contract.switches import Phone, Switch
from tests.support.waiting import wait_for
from worker.ami.message import Message
from worker.asterisk.agents import Agents

Connect = Callable[..., Phone]


@contextmanager
def added(lab: Phone, queue: str, interface: str, telephone: str) -> Iterator[Message]:
    """A member, by `telephone` its StateInterface; what is told of its coming."""
    fields = [("Queue", queue), ("Interface", interface), ("StateInterface", telephone)]
    before = len(lab.heard)
    lab.client.ask([("Action", "QueueAdd"), *fields])
    try:
        wait_for(lambda: len(lab.heard) > before, 10, "the member to be told of")
        yield next(event for event in lab.heard[before:] if event.name == "QueueMemberAdded")
    finally:
        lab.client.ask([("Action", "QueueRemove"), *fields[:2]])


def agents_of(phone: Phone) -> Agents:
    """As the worker sees them."""
    agents = Agents(lambda: 0.0)
    agents.replace_all(phone.client.ask_list([("Action", "QueueStatus")]))
    return agents


def members(phone: Phone, queue: str) -> dict[str, Message]:
    items = phone.client.ask_list([("Action", "QueueStatus"), ("Queue", queue)])
    return {item.get("Location"): item for item in items if item.name == "QueueMember"}


def test_a_member_of_whose_telephone_nothing_is_known_is_rung(switch: Switch, connect: Connect) -> None:
    """AST_DEVICE_UNKNOWN is available to app_queue, until it is in a call of the queue."""
    switch.load("func_devstate.so")
    lab = connect(switch, lab=True)
    with added(lab, "empty", "PJSIP/agent8", "Custom:never-set") as told:
        assert told.get("Status") == "0"
        assert members(lab, "empty")["PJSIP/agent8"].get("Status") == "0"
        assert agents_of(lab).free("empty") == {"custom:never-set"}
        call = lab.call("2000097", queue="empty")
        lab.wait_for(call, "AgentConnect")
        assert members(lab, "empty")["PJSIP/agent8"].get("InCall") == "1"
        assert agents_of(lab).free("empty") == set()
        lab.wait_until_over(call)


def test_members_say_which_telephone_they_ring(switch: Switch, connect: Connect) -> None:
    lab = connect(switch, lab=True)
    with (
        added(lab, "empty", "Local/8@progressive/n", "PJSIP/agent8") as told,
        added(lab, "empty", "Local/9@progressive/n", "PJSIP/agent8"),
        added(lab, "lazy", "Local/8@autoinforming/n", "PJSIP/agent8"),
    ):
        assert (told.get("Interface"), told.get("StateInterface")) == ("Local/8@progressive/n", "PJSIP/agent8")
        listed = members(lab, "empty")
        assert {item.get("StateInterface") for item in listed.values()} == {"PJSIP/agent8"}
        agents = agents_of(lab)
        assert agents.free("empty") == {"pjsip/agent8"}, "two members, and one person"
        assert agents.team("lazy") >= {"pjsip/agent8"}


def test_a_queue_of_the_configuration_goes_by_its_own_name_however_it_is_written(
    switch: Switch, connect: Connect
) -> None:
    lab = connect(switch, lab=True)
    items = lab.client.ask_list([("Action", "QueueStatus"), ("Queue", "SALES")])
    assert {item.get("Queue") for item in items} == {"sales"}
    assert agents_of(lab).free("Sales") == agents_of(lab).free("sales") != set()
    call = lab.call("2000098", queue="SALES")
    lab.wait_for(call, "AgentConnect")
    told = [event for event in lab.of(call) if event.name in ("QueueCallerJoin", "AgentCalled", "AgentConnect")]
    assert {event.get("Queue") for event in told} == {"sales"}
    lab.wait_until_over(call)
