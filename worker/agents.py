"""Who is free: the queue members of one Asterisk, as its lists and events show them.

An event may have been forged by a caller, so it is believed at once only where that makes a member *less*
available; what would make one free is put into `unsure`, and a list action decides. An agent is the interface:
a member of several queues is one person.

No I/O: events, list items and the time come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

# AST_DEVICE_* of Asterisk's devicestate.h, in the Status of QueueMember and QueueMemberStatus.
_NOT_IN_USE = 1
_RINGING = {6, 7}
_BUSY = {2, 3, 8}


class Event(Protocol):
    """What is read of an AMI message."""

    @property
    def name(self) -> str:
        """The event's name."""
        ...

    def get(self, key: str, default: str = "") -> str:
        """A field."""
        ...


@dataclass(frozen=True)
class Member:
    """A member of a queue. `wrapup_until` and `since` are instants of the clock's monotonic()."""

    queue: str
    interface: str
    name: str
    status: int
    paused: bool
    in_call: bool
    last_call: int
    wrapup_until: float
    since: float

    def state(self, now: float) -> str:
        """free, ringing, talking, wrapup, paused or unavailable."""
        if self.status in _BUSY or self.in_call:
            return "talking"
        if self.status in _RINGING:
            return "ringing"
        if self.status != _NOT_IN_USE:
            return "unavailable"
        if self.paused:
            return "paused"
        return "wrapup" if now < self.wrapup_until else "free"


class Agents:
    """The members of all queues."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._members: dict[tuple[str, str], Member] = {}
        self.queues: set[str] = set()
        """The queues that Asterisk has."""
        self.unsure: set[tuple[str, str]] = set()
        """(queue, interface) that a list action has to confirm."""
        self.changed = True
        """Do readers of the database see something old?"""

    def replace_all(self, items: Iterable[Event]) -> None:
        """Take the items of a QueueStatus of all queues."""
        before = self._members
        self.queues = set()
        self._members = {}
        for item in items:
            if item.name == "QueueParams":
                self.queues.add(item.get("Queue"))
            elif item.name == "QueueMember":
                member = self._read(item, item.get("Name"), item.get("Location"), before)
                self._members[member.queue, member.interface] = member
        self.unsure.clear()
        self.changed = True

    def replace_one(self, queue: str, interface: str, items: Iterable[Event]) -> None:
        """Take the items of a QueueStatus of one member; it has left the queue if it is not among them."""
        self.unsure.discard((queue, interface))
        before = dict(self._members)
        self._members.pop((queue, interface), None)
        for item in items:
            if item.name == "QueueMember" and (item.get("Queue"), item.get("Location")) == (queue, interface):
                self._members[queue, interface] = self._read(item, item.get("Name"), interface, before)
        self.changed = True

    def event(self, event: Event) -> None:
        """Take a QueueMember… event in."""
        queue, interface = event.get("Queue"), event.get("Interface")
        if not queue or not interface:
            return
        key = (queue, interface)
        known = self._members.get(key)
        if known is None or event.name in ("QueueMemberAdded", "QueueMemberRemoved"):
            self.unsure.add(key)
            return
        told = self._read(event, known.name, interface, self._members)
        now = self._monotonic()
        if told.state(now) == "free" and known.state(now) != "free":
            self.unsure.add(key)
            return
        self._members[key] = told
        self.changed = True

    def _read(self, item: Event, name: str, interface: str, before: dict[tuple[str, str], Member]) -> Member:
        now = self._monotonic()
        queue = item.get("Queue")
        last_call = _integer(item.get("LastCall"))
        known = before.get((queue, interface))
        if known is None:
            # How long ago the last call ended depends on Asterisk's clock; assume that its wrap-up is over.
            wrapup_until = now
        elif last_call != known.last_call:
            wrapup_until = now + _integer(item.get("Wrapuptime"))
        else:
            wrapup_until = known.wrapup_until
        member = Member(
            queue=queue,
            interface=interface,
            name=name,
            status=_integer(item.get("Status")),
            paused=item.get("Paused") == "1",
            in_call=item.get("InCall") == "1",
            last_call=last_call,
            wrapup_until=wrapup_until,
            since=now,
        )
        if known is not None and known.state(now) == member.state(now):
            member = replace(member, since=known.since)
        return member

    def free(self, queue: str) -> set[str]:
        """Interfaces of the members of a queue that would take a call now."""
        now = self._monotonic()
        # A person is busy if any of their queues says so: the events come one queue after the other.
        busy = {member.interface for member in self._members.values() if member.in_call or member.status != _NOT_IN_USE}
        return {
            member.interface
            for member in self._members.values()
            if member.queue == queue and member.state(now) == "free" and member.interface not in busy
        }

    def members(self, queue: str) -> int:
        """How many members a queue has, whatever they do."""
        return sum(1 for key in self._members if key[0] == queue)

    def next_free_in(self) -> float | None:
        """Seconds until the next wrap-up ends; None when nobody is in one."""
        now = self._monotonic()
        ends = [member.wrapup_until - now for member in self._members.values() if member.state(now) == "wrapup"]
        return min(ends) if ends else None

    def table(self) -> list[dict[str, object]]:
        """All members for dialer_agents_write."""
        now = self._monotonic()
        return [
            {
                "queue": member.queue,
                "interface": member.interface,
                "name": member.name,
                "state": member.state(now),
                "since": max(0.0, now - member.since),
            }
            for member in self._members.values()
        ]


def _integer(text: str) -> int:
    return int(text) if text.isdigit() else 0
