"""Asterisk going down: what is said before, and what is left after."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
import pytest

from tests.contract.switches import Phone, Switch, cleared, in_order, owed
from tests.contract.test_paths import RANG
from tests.support.waiting import wait_for
from worker.ami.client import LinkDown, LinkUp
from worker.ami.errors import AmiRefused

Connect = Callable[..., Phone]


def shutdowns(phone: Phone) -> list[tuple[str, str]]:
    return [(e.get("Shutdown"), e.get("Restart")) for e in phone.heard if e.name == "Shutdown"]


def test_a_restart_now_ends_every_channel_and_says_shutdown_last(own_switch: Switch, connect: Connect) -> None:
    phone = connect(own_switch)
    ringing = phone.call("2300080", timeout_ms=30_000)
    waiting = phone.call("3000081")
    talking = phone.call("3000082", queue="solo")
    phone.wait_for(ringing, *RANG)
    phone.wait_for(waiting, "QueueCallerJoin")
    phone.wait_for(talking, "AgentConnect")
    gevent.spawn(own_switch.restart, "now")
    wait_for(lambda: len(phone.links) >= 3, 30, lambda: f"a link after the restart ({phone.links})")
    in_order(phone.story(ringing), *RANG[:2], "DialEnd NOANSWER", "Hangup 0")
    in_order(phone.story(ringing), "Newchannel", "OriginateResponse Failure 0")
    in_order(phone.story(waiting), "QueueCallerJoin", "QueueCallerAbandon", "QueueCallerLeave", "Hangup 0")
    # The conversation ends as any other: nothing but the Shutdown that follows tells it from one.
    story = phone.story(talking)
    completed = [item for item in story if item.startswith("AgentComplete")]
    assert len(completed) == len(owed(own_switch, story, "AgentComplete"))  # whoever it says has hung up
    assert any(item in ("Hangup 16", "Hangup 0") for item in story)
    assert shutdowns(phone) == [("Cleanly", "True")]
    up, down, again = phone.links[:3]
    assert isinstance(up, LinkUp)
    assert isinstance(down, LinkDown)
    assert isinstance(again, LinkUp)
    assert again.uptime is not None
    assert again.uptime < 10
    assert phone.client.ask_list([("Action", "CoreShowChannels")]) == []


def test_a_graceful_restart_refuses_actions_and_lets_calls_go_on(own_switch: Switch, connect: Connect) -> None:
    phone = connect(own_switch)
    call = phone.call("2100083")
    phone.wait_for(call, "QueueCallerJoin")
    gevent.spawn(own_switch.restart, "gracefully")

    def refused() -> bool:
        try:
            phone.client.ask([("Action", "Ping")])
        except AmiRefused as refusal:
            return refusal.text == "Asterisk is shutting down"
        return False

    wait_for(refused, 10, "the first refusal")
    for action in ([("Action", "Hangup"), ("Channel", call)], [("Action", "QueueStatus")]):
        with pytest.raises(AmiRefused, match="Asterisk is shutting down"):
            phone.client.ask(action)
    login = f"Action: Login\r\nActionID: 1\r\nUsername: dialer\r\nSecret: {own_switch.secret}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own_switch.port), 5) as link:
        link.sendall(login.encode())
        told = b""
        while b"\r\n\r\n" not in told and (part := link.recv(4_096)):
            told += part
    assert b"Message: Asterisk is shutting down\r\n" in told
    in_order(cleared(phone.wait_until_over(call)), "QueueCallerJoin", "QueueCallerAbandon", "Hangup 16")
    wait_for(lambda: len(phone.links) >= 3, 30, lambda: f"a link after the restart ({phone.links})")
    assert shutdowns(phone) == [("Cleanly", "True")]
