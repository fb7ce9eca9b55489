"""The two switches that the contract is held against, behind one face, and a way to read what they say.

Both have the same queues, agents and subscribers; what is timed differs a little (SIPp rings a fixed time, the
simulation draws one), so tests wait for events and compare orders, never instants.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import gevent

from simulator import Agent, Queue, Scenario, Subscribers, User
from simulator.scenario import LAB_PREFIXES, contexts, fixed, uniform
from tests.support.waiting import wait_for
from worker.ami.actions import originate
from worker.ami.client import AmiClient, LinkDown, LinkUp
from worker.ami.message import Message

#: What the shipped manager.conf lets through, and what the simulation emits.
WANTED = frozenset(
    {
        *("FullyBooted", "Shutdown", "Reload", "Newchannel", "Newstate", "DialState", "DialEnd", "Hangup"),
        *("OriginateResponse", "QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentCalled"),
        *("AgentRingNoAnswer", "AgentConnect", "AgentComplete", "QueueMemberStatus", "QueueMemberPause"),
        *("QueueMemberAdded", "QueueMemberRemoved", "UserEvent"),
    }
)

#: Queue -> its agents' numbers, first and last. Agent 4 stays on the line, 5 never answers, 6 is busy.
QUEUES = {"sales": (1, 3), "solo": (4, 4), "lazy": (5, 5), "mixed": (5, 7), "shared": (3, 4), "empty": None}
RING_SECONDS = 2


def scenario(secret: str, lab_secret: str) -> Scenario:
    """The simulation's side of the table."""
    usual = [Agent(f"PJSIP/agent{n}", f"Agent {n}", pick_up=uniform(0.2, 0.5), talk=fixed(1.5)) for n in range(1, 9)]
    usual[3] = replace(usual[3], talk=fixed(3_600.0))
    usual[4] = replace(usual[4], answers=0.0)
    usual[5] = replace(usual[5], busy=True)
    agents = tuple(usual)
    return Scenario(
        # Numbers that are in no table do not exist; the longest prefix counts.
        subscribers=Subscribers(prefixes={**{str(n): "404" for n in range(10)}, **LAB_PREFIXES}),
        agents=agents,
        queues=tuple(
            Queue(
                name,
                tuple(f"PJSIP/agent{n}" for n in range(span[0], span[1] + 1)) if span else (),
                timeout=float(RING_SECONDS),
            )
            for name, span in QUEUES.items()
        ),
        contexts=contexts(message=fixed(1.4), safe_harbour=fixed(2.8), machine=fixed(3.0)),
        users=(
            User("dialer", secret),
            User("lab", lab_secret, read=frozenset({"all"}), write=frozenset({"all"})),
        ),
        down_seconds=0.5,
    )


@dataclass
class Switch:
    """A switch under contract: where its AMI is, and how to have it restarted."""

    kind: str
    port: int
    secret: str
    lab_secret: str
    restart: Callable[[str], object]  # 'now' or 'gracefully', as in `core restart now`
    load: Callable[[str], object] = lambda _: None  # a module, as in `module load`; the simulation has all it needs

    def connect(self, *, lab: bool = False) -> Phone:
        """A session of the user `dialer` (or `lab`, who may do everything), logged in."""
        return Phone(self.port, "lab" if lab else "dialer", self.lab_secret if lab else self.secret)


class Phone:
    """An AMI session that keeps every event it hears."""

    def __init__(self, port: int, username: str, secret: str) -> None:
        self.client = AmiClient(
            "127.0.0.1", port, username, secret, timeout=10.0, wanted=WANTED, reconnect_seconds=(0.1, 0.5)
        )
        self.heard: list[Message] = []
        self.links: list[LinkUp | LinkDown] = []
        self._listener = gevent.spawn(self._listen)
        self.client.start()
        wait_for(lambda: self.client.connected, 10, lambda: f"a login ({self.client.down_reason})")

    def close(self) -> None:
        self.client.stop()
        self._listener.kill()

    def _listen(self) -> None:
        while True:
            item = self.client.inbox.get()
            (self.heard if isinstance(item, Message) else self.links).append(item)  # type: ignore[arg-type]

    def call(
        self,
        number: str,
        *,
        context: str = "progressive",
        queue: str = "empty",
        exten: str = "s",
        timeout_ms: int = 2_500,
        dial: str = "PJSIP/{}@carrier",
        channel_id: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Originate; returns the ChannelId. The ActionID is the same with `o-` before it.

        `variables`: {"AMD": "1"} sets DIALER_AMD for the dialplan.
        """
        channel_id = channel_id or f"{number}-{secrets.token_hex(16)}"
        fields = originate(
            channel=dial.format(number),
            context=context,
            exten=exten,
            timeout_ms=timeout_ms,
            channel_id=channel_id,
            action_id=f"o-{channel_id}-{secrets.token_hex(4)}",
            caller_id="Dialer <74950000>",
            account="dialer",
            variables={
                "__DIALER_QUEUE": queue,
                "__DIALER_ATTEMPT": "77",
                **{f"__DIALER_{name}": value for name, value in (variables or {}).items()},
            },
        )
        reply = self.client.ask(fields)
        assert reply.get("Message") == "Originate successfully queued"
        return channel_id

    def of(self, channel_id: str) -> list[Message]:
        """The events of one call, agents' legs included, in order."""
        return [
            event
            for event in list(self.heard)
            if channel_id in (event.get("Linkedid"), event.get("DestLinkedid"), event.get("Uniqueid"))
        ]

    def story(self, channel_id: str) -> list[str]:
        """The same in words: see `word`."""
        return [word(event, channel_id) for event in self.of(channel_id)]

    def wait_for(self, channel_id: str, *words: str, seconds: float = 20) -> list[str]:
        """The story, once it holds all of `words`."""

        def told() -> bool:
            story = self.story(channel_id)
            return all(item in story for item in words)

        wait_for(told, seconds, lambda: f"{words} in {self.story(channel_id)}")
        return self.story(channel_id)

    def wait_until_over(self, channel_id: str, seconds: float = 20) -> list[str]:
        """The story, once the call's channels have ended and OriginateResponse has come."""

        def over() -> bool:
            events = self.of(channel_id)
            begun = {e.get("Uniqueid") for e in events if e.name == "Newchannel"}
            ended = {e.get("Uniqueid") for e in events if e.name == "Hangup"}
            responses = {e.get("Response") for e in events if e.name == "OriginateResponse"}
            # The response is another thread's: that of an answered call may come before its channel is heard of.
            return begun == ended and bool(responses) and (bool(begun) or responses == {"Failure"})

        wait_for(over, seconds, lambda: f"the end of {self.story(channel_id)}")
        return self.story(channel_id)

    def member_events(self, interface: str) -> list[Message]:
        """QueueMemberStatus and its like for one agent."""
        return [e for e in list(self.heard) if e.name.startswith("QueueMember") and e.get("Interface") == interface]


def word(event: Message, channel_id: str) -> str:
    """An event in a word or two; those of an agent's leg begin with 'agent '."""
    name = event.name
    subject = event.get("DestUniqueid") if name.startswith("Dial") else event.get("Uniqueid")
    whose = "" if subject == channel_id else "other " if subject.startswith(channel_id) else "agent "
    if name.startswith("Dial"):
        return f"{whose}{name} {event.get('DialStatus')}"
    if name == "Newstate":
        return f"{whose}{name} {event.get('ChannelStateDesc')}"
    if name == "Hangup":
        return f"{whose}{name} {event.get('Cause')}"
    if name == "OriginateResponse":
        return f"{name} {event.get('Response')} {event.get('Reason')}"
    if name == "AgentComplete":
        return f"{name} {event.get('Reason')}"
    if name == "UserEvent":
        return f"{event.get('UserEvent')} {event.get('Status')}{event.get('Key')}".strip()
    return f"{whose}{name}" if name == "Newchannel" else name


def cleared(story: list[str]) -> list[str]:
    """The story with a subscriber's own goodbye as `Hangup 16`.

    Once in some 200 calls the real switch says 0 there (its BYE and its channel's end race); the simulation never
    does. Nothing may depend on it, so the contract takes either.
    """
    return ["Hangup 16" if item == "Hangup 0" else item for item in story]


def owed(switch: Switch, story: list[str], *words: str) -> tuple[str, ...]:
    """Those of `words` that the switch owes to this story: all, but the real one may owe it the AgentComplete.

    Its event names no channel at all, and so belongs to no story, when both have gone before it is made: one to two
    conversations in a hundred, whoever hung up (16.28 on busy processors). Nothing may depend on it.
    """
    if switch.kind == "simulated" or any(item.startswith("AgentComplete") for item in story):
        return words
    return tuple(item for item in words if not item.startswith("AgentComplete"))


def in_order(story: list[str], *chain: str) -> None:
    """Assert that the words of `chain` come in that order (each looked for after the one before)."""
    position = 0
    for item in chain:
        assert item in story[position:], f"{item!r} does not come in its place: {chain} in {story}"
        position = story.index(item, position) + 1
