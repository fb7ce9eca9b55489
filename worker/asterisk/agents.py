"""Which agents are free: the queue members of one Asterisk, as its lists and events show them.

An event may have been forged by a caller, so it is believed at once only if it makes a member *less* available. A
member whom it would make free, now or when a wrap-up ends, goes into `unsure`, and a list action decides. A list action
also decides if an event takes somebody out for long (paused, unavailable), which is rare.

An agent is a person, identified by their telephone: the device whose state Asterisk goes by (StateInterface), whatever
its case. Members of several queues, or two of one queue, that ring the same telephone are one person. Queues have
Asterisk's names for them; a project's queue is looked up as written, then in any case.

No I/O: events, list items and the time come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import inf

from worker.ami.message import Event
from worker.model import storable

# AST_DEVICE_* of Asterisk's devicestate.h, in the Status of QueueMember and QueueMemberStatus. app_queue rings members
# not in use, and those whose state is unknown (is_member_available in app_queue.c).
_FREE = {0, 1}
_INVALID = 4
_RINGING = {6, 7}
_BUSY = {2, 3, 8}

UNSURE_MOST = 1000
"""If events name more members than this, we do not ask about each: somebody invents them."""
_NAME_CHARACTERS = 200


@dataclass(frozen=True)
class Member:
    """A member of a queue. `wrapup_until` and `since` are instants of the clock's monotonic()."""

    queue: str
    interface: str
    person: str
    """The person: the telephone's name, in one case."""
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
        if self.status not in _FREE:
            return "unavailable"
        if self.paused:
            return "paused"
        return "wrapup" if now < self.wrapup_until else "free"

    def engaged(self) -> bool:
        """Is the telephone in use, or not to be reached at all? That holds for all queues of its owner."""
        return self.in_call or self.status not in _FREE

    def free_at(self, now: float) -> float:
        """The instant from which it takes calls if no further event comes; infinity: never."""
        return max(now, self.wrapup_until) if self.state(now) in ("free", "wrapup") else inf


@dataclass(frozen=True)
class Presence:
    """The state of a person, over all queues in question. Instants of the clock's monotonic()."""

    state: str
    """As Member.state."""
    since: float
    wrapup_until: float
    there: bool
    """Will they take calls again, as far as is known? Not if they are paused, even if they still talk."""


class Agents:
    """The members of all queues. `wall`: seconds since 1970, to judge the LastCall of members seen for the first
    time."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float] | None = None) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._members: dict[tuple[str, str], Member] = {}
        self._by_queue: dict[str, dict[str, Member]] = {}
        self._by_person: dict[str, dict[tuple[str, str], Member]] = {}
        self._person_of: dict[str, str] = {}
        """By interface, in one case."""
        self.queues: set[str] = set()
        """The queues that Asterisk has, with its names for them."""
        self.unsure: set[tuple[str, str]] = set()
        """(queue, interface) that a list action has to confirm."""
        self.version = 0
        """A count of changes; 0 before the first list, when nothing is known."""

    def replace_all(self, items: Iterable[Event]) -> None:
        """Take the items of a QueueStatus of all queues."""
        before = self._members
        self.queues = set()
        self._members, self._by_queue, self._by_person, self._person_of = {}, {}, {}, {}
        for item in items:
            if item.name == "QueueParams":
                self.queues.add(item.get("Queue"))
            elif item.name == "QueueMember" and (item.get("Queue"), item.get("Location")) not in self._members:
                # The first of several counts: members are listed before waiting callers, whose names may hold
                # forgeries.
                self._put(self._read(item, item.get("Name"), item.get("Location"), before))
        self.unsure.clear()
        self.version += 1

    def replace_one(self, queue: str, interface: str, items: Iterable[Event]) -> None:
        """Take the items of a QueueStatus of one member; it has left the queue if it is not among them."""
        key = (queue, interface)
        self.unsure.discard(key)
        known = self._members.get(key)
        before = {} if known is None else {key: known}
        if known is not None:
            self._drop(known)
        for item in items:
            if item.name == "QueueMember" and (item.get("Queue"), item.get("Location")) == key:
                self._put(self._read(item, item.get("Name"), interface, before))
                break  # the first counts, as above
        self.version += 1

    def add_queue(self, items: Iterable[Event]) -> None:
        """Take the items of a QueueStatus of one queue that was not known: a realtime queue, which Asterisk loaded
        because we asked for it."""
        for item in items:
            if item.name == "QueueParams":
                self.queues.add(item.get("Queue"))
            elif item.name == "QueueMember" and (item.get("Queue"), item.get("Location")) not in self._members:
                self._put(self._read(item, item.get("Name"), item.get("Location"), {}))
                self.version += 1

    def _put(self, member: Member) -> None:
        key = (member.queue, member.interface)
        known = self._members.get(key)
        if known is not None and known.person != member.person:
            self._drop(known)
        self._members[key] = member
        self._by_queue.setdefault(member.queue, {})[member.interface] = member
        self._by_person.setdefault(member.person, {})[key] = member
        self._person_of[member.interface.casefold()] = member.person

    def _drop(self, member: Member) -> None:
        key = (member.queue, member.interface)
        del self._members[key]
        del self._by_queue[member.queue][member.interface]
        del self._by_person[member.person][key]
        if not self._by_person[member.person]:
            del self._by_person[member.person]

    def event(self, event: Event) -> None:
        """Take a QueueMember… event in."""
        key = queue, interface = event.get("Queue"), event.get("Interface")
        known = self._members.get(key)
        if known is None:
            # For an unknown member or queue a list must tell us more. If it cannot even be asked for, or members come
            # by the thousand, a caller has made it up.
            if queue in self.queues and _plausible(interface) and len(self.unsure) < UNSURE_MOST:
                self.unsure.add(key)
            return
        if event.name in ("QueueMemberAdded", "QueueMemberRemoved"):
            self.unsure.add(key)
            return
        now = self._monotonic()
        told = self._read(event, known.name, interface, self._members, known.person)
        state, was = told.state(now), known.state(now)
        sooner = told.free_at(now) < known.free_at(now)
        released = known.engaged() and not told.engaged()  # that may make it free in its other queues
        if sooner or released or (state == "wrapup" and was == "free"):
            self.unsure.add(key)
            return
        if state in ("paused", "unavailable") and state != was:
            self.unsure.add(key)
        self._put(told)
        self.version += 1

    def _read(
        self, item: Event, name: str, interface: str, before: dict[tuple[str, str], Member], person: str = ""
    ) -> Member:
        """`person`: the person it is known to be; otherwise what the list's item says."""
        now = self._monotonic()
        queue = item.get("Queue")
        last_call = _integer(item.get("LastCall"))
        known = before.get((queue, interface))
        if known is None:
            wrapup_until = now + self._wrapup_left(last_call, _integer(item.get("Wrapuptime")))
        elif last_call != known.last_call:
            wrapup_until = now + _integer(item.get("Wrapuptime"))
        else:
            wrapup_until = known.wrapup_until
        member = Member(
            queue=queue,
            interface=interface,
            person=person or (item.get("StateInterface") or interface).casefold(),
            name=name,
            status=_integer(item.get("Status"), otherwise=_INVALID),
            paused=item.get("Paused") == "1",
            in_call=item.get("InCall") == "1",
            last_call=last_call,
            wrapup_until=wrapup_until,
            since=now,
        )
        if known is not None and known.state(now) == member.state(now):
            member = replace(member, since=known.since)
        return member

    def _wrapup_left(self, last_call: int, wrapup: int) -> float:
        """Seconds of wrap-up left to somebody whose call ended before we began to look.

        Asterisk's clock may differ from ours: the answer is never more than a wrap-up, and 0 if it cannot be judged.
        """
        if self._wall is None or not last_call:
            return 0.0
        return min(max(0.0, last_call + wrapup - self._wall()), float(wrapup))

    def queue_named(self, name: str) -> str | None:
        """Asterisk's name for the queue that a project means; None: Asterisk has no such queue.

        Names in queues.conf match in any case; two realtime queues may differ only in case.
        """
        if name in self.queues:
            return name
        folded = name.casefold()
        return min((queue for queue in self.queues if queue.casefold() == folded), default=None)

    def person(self, interface: str) -> str:
        """The person whose telephone rings when a queue calls this interface."""
        folded = interface.casefold()
        return self._person_of.get(folded, folded)

    def free(self, queue: str) -> set[str]:
        """The people in a queue who can take a call now."""
        now = self._monotonic()
        return {
            member.person
            for member in self._in(queue)
            # A person is busy if any of their queues says so: the events come one queue after the other.
            if member.state(now) == "free" and not any(map(Member.engaged, self._by_person[member.person].values()))
        }

    def team(self, queue: str) -> set[str]:
        """The people in a queue."""
        return {member.person for member in self._in(queue)}

    def _in(self, queue: str) -> Iterable[Member]:
        return self._by_queue.get(self.queue_named(queue) or queue, {}).values()

    def crew(self, queues: Iterable[str]) -> dict[str, Presence]:
        """The state of each of the people in these queues."""
        now = self._monotonic()
        named = {self.queue_named(queue) or queue for queue in queues}
        crew = {}
        for person, members in self._by_person.items():
            asked = [member for member in members.values() if member.queue in named]
            if asked:
                crew[person] = _presence(asked, list(members.values()), now)
        return crew

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
                "queue": storable(member.queue),
                "interface": storable(member.interface),
                "name": storable(member.name),
                "state": member.state(now),
                "since": max(0.0, now - member.since),
            }
            for member in self._members.values()
        ]


_MOST_ENGAGED_FIRST = ("talking", "ringing", "wrapup", "free", "paused", "unavailable")


def _presence(asked: list[Member], everywhere: list[Member], now: float) -> Presence:
    """`asked`: a person as a member of the queues in question; `everywhere`: of all queues."""
    engaged = [member for member in everywhere if member.engaged()]
    shown = min(engaged or asked, key=lambda member: _MOST_ENGAGED_FIRST.index(member.state(now)))
    state = shown.state(now)
    return Presence(
        state,
        shown.since,
        max(member.wrapup_until for member in asked),
        there=state != "unavailable" and not all(member.paused for member in asked),
    )


def _plausible(interface: str) -> bool:
    """Can an interface have this name?"""
    return 0 < len(interface) <= _NAME_CHARACTERS and interface.isprintable()


def _integer(text: str, *, otherwise: int = 0) -> int:
    """Asterisk writes decimal numbers; for anything else there is `otherwise`. (int() would raise for '²' and for 5,000
    digits.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else otherwise
