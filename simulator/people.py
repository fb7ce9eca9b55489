"""What one call's subscriber and agents do: a function of (seed, number, attempt), never of timing.

Only the *shares* may depend on the hour (people are out by day); the uniform number compared with them does not. So a
run can be repeated, and two runs that differ in pacing meet the same people.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from struct import unpack

from simulator.scenario import CAUSE_OF_SIP, PRESSES, Agent, Mix, Subscribers, uniform

_SCALE = 2.0**-64
_LAB_RING = uniform(0.3, 1.5)
# AMDSTATUS and AMDCAUSE with the shipped amd.conf.
_HUMAN = ("HUMAN", "HUMAN-600-600")
_MACHINE = ("MACHINE", "LONGGREETING-1500-1500")
_SILENT = ("MACHINE", "INITIALSILENCE-2500-2500")
# The lab's subscribers that AMD() can hear: its verdict, its cause, and when, as measured on 16.28.
_HEARD = {
    "says_hello": (*_HUMAN, 1.2),
    "says_hello_and_leaves": (*_HUMAN, 1.1),
    "says_nothing": (*_SILENT, 2.5),
    "machine": (*_MACHINE, 1.8),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The whole fate of one call on the subscriber's side. Seconds; None: never."""

    name: str
    first_response: float  # INVITE to 180, 183 or the final answer
    progress: str  # ring (180), early (183 with media), none
    answer_after: float | None  # from the first response
    sip: int  # the final refusal, 0: none
    leaves_after: float | None  # from the answer, wherever the call is then
    patience: float | None  # from joining the queue, while no agent is there
    talk: float | None  # from the agent's answer
    ends_talk: bool  # the subscriber ends it (else the agent does)
    hears_out: bool  # listens to the end of a message
    heard: float  # 0..1, the part of the message heard by somebody who does not
    message: float  # 0..1, quantile of the message's length
    order: float  # 0..1, which of the orders that Asterisk's threads allow
    machine: bool  # an answering machine takes the call
    verdict: str  # what AMD() makes of it …
    verdict_reason: str  # … why (its AMDCAUSE) …
    verdict_after: float  # … and when, from the answer
    bears_silence: float | None  # hangs up this long after the answer, if AMD() still listens
    presses: tuple[tuple[float, str], ...] = ()  # keys, each so long after the answer or the key before it
    wish: str = ""  # opt_out or agent: presses the key for that, if a message offers one …
    wishes_at: float = 0.0  # … 0..1, at this part of the message


def uniforms(seed: int, *what: object) -> tuple[float, ...]:
    """Eight numbers in 0..1 that depend only on the arguments."""
    text = "/".join(map(str, (seed, *what))).encode("utf-8", "surrogateescape")
    return tuple(n * _SCALE for n in unpack("<8Q", blake2b(text, digest_size=64).digest()))


def draw(subscribers: Subscribers, seed: int, number: str, ordinal: int, instant: float) -> Behaviour:
    """The fate of attempt `ordinal` (from 0) at `number`, begun at `instant` (seconds since 1970)."""
    u = uniforms(seed, number, ordinal)
    for length in range(min(len(number), 8), 0, -1):
        name = subscribers.prefixes.get(number[:length])
        if name is not None:
            return _fixed(name, subscribers, u)
    name = _outcome(subscribers, subscribers.mix_at(instant), u[0])
    late = u[6] < subscribers.late_media
    answered = name == "answer"
    heard = uniforms(seed, number, ordinal, "amd")  # separate numbers, so that nothing changes without machines
    machine = answered and heard[0] < subscribers.machines
    verdict, reason, after = _verdict(subscribers, machine, heard)
    wish, wishes_at = _wish(subscribers, uniforms(seed, number, ordinal, "keys"))
    return Behaviour(
        name=name,
        first_response=subscribers.signalling.at(u[6]),
        progress="none" if name.isdigit() else "early" if late else "ring",
        answer_after=subscribers.ring.at(u[1]) if answered else None,
        sip=int(name) if name.isdigit() else 0,
        leaves_after=None,
        patience=None if machine else subscribers.patience.at(u[3]),
        talk=(subscribers.machine_talk if machine else subscribers.talk).at(u[2]),
        ends_talk=not machine and u[5] < subscribers.hangs_up_first,
        hears_out=machine or u[4] < subscribers.hears_out,
        heard=u[5],
        message=u[2],
        order=u[7],
        machine=machine,
        verdict=verdict,
        verdict_reason=reason,
        verdict_after=after,
        bears_silence=None if machine else subscribers.bears_silence.at(heard[4]),
        wish="" if machine else wish,
        wishes_at=wishes_at,
    )


def _wish(subscribers: Subscribers, u: tuple[float, ...]) -> tuple[str, float]:
    """What somebody who hears a message would press a key for, and at which part of it."""
    if u[0] < subscribers.opts_out:
        return "opt_out", u[1]
    return "agent" if u[0] < subscribers.opts_out + subscribers.asks_agent else "", u[1]


def _verdict(subscribers: Subscribers, machine: bool, u: tuple[float, ...]) -> tuple[str, str, float]:
    """What AMD() says of a call, its cause, and how long it takes, from the answer."""
    wrong = u[1] < (subscribers.taken_for_people if machine else subscribers.taken_for_machines)
    taken = machine is not wrong
    after = (subscribers.amd_machine if taken else subscribers.amd_human).at(u[3])
    if u[2] < subscribers.not_sure or after >= subscribers.amd_limit:
        return _too_long(subscribers)
    return (*(_MACHINE if taken else _HUMAN), after)


def _too_long(subscribers: Subscribers) -> tuple[str, str, float]:
    # It counts frames of 20 ms and does not take the last one in.
    return "NOTSURE", f"TOOLONG-{subscribers.amd_limit * 1000 - 20:.0f}", subscribers.amd_limit


def _outcome(subscribers: Subscribers, mix: Mix, u: float) -> str:
    if u < mix.answer:
        return "answer"
    u -= mix.answer
    if u < mix.busy:
        return "486"
    u -= mix.busy
    if u >= mix.failure:
        return "no_answer"
    left = u / mix.failure * sum(subscribers.failures.values())
    for code, weight in subscribers.failures.items():
        left -= weight
        if left < 0:
            return str(code)
    return "404"  # a float's last bit


def _fixed(name: str, subscribers: Subscribers, u: tuple[float, ...]) -> Behaviour:
    """The lab carrier's table: the same every time but for the ring time."""
    pressing = PRESSES.fullmatch(name)
    answer_after = {
        "answer": _LAB_RING.at(u[1]),
        "answer_and_leave": _LAB_RING.at(u[1]),
        "answer_at_once": 0.0,
        "answer_at_once_and_leave": 0.0,
        "late_media": 2.0,
        **dict.fromkeys(_HEARD, 0.0),
    }.get(name, 0.0 if pressing else None)
    at_once = (*_HEARD, "answer_at_once", "answer_at_once_and_leave", "silent")
    progress = "early" if name == "late_media" else "none" if name in at_once or pressing else "ring"
    leaves_after = {"answer_and_leave": 3.0, "answer_at_once_and_leave": 0.3, "says_hello_and_leaves": 2.0}.get(name)
    verdict, reason, after = _HEARD.get(name) or _too_long(subscribers)
    return Behaviour(
        name=name,
        first_response=subscribers.signalling.at(u[6]),
        progress="none" if name.isdigit() else progress,
        answer_after=answer_after,
        sip=int(name) if name.isdigit() else 0,
        leaves_after=leaves_after,
        patience=None,
        talk=None,
        ends_talk=False,
        hears_out=True,
        heard=1.0,
        message=u[2],
        order=u[7],
        machine=name == "machine",
        verdict=verdict,
        verdict_reason=reason,
        verdict_after=after,
        bears_silence=None,
        presses=tuple((3.0 if pressing[1] else 0.4, key) for key in pressing["keys"]) if pressing else (),
    )


@dataclass(frozen=True, slots=True)
class AgentBehaviour:
    """What one offered agent does with one offered call. Seconds; None: never."""

    pick_up: float | None
    talk: float
    wrap_up: float
    order: float


def offered(agent: Agent, seed: int, number: str, ordinal: int, offer: int) -> AgentBehaviour:
    """The `offer`-th (from 0) time that this call is offered to anybody, and now to `agent`."""
    u = uniforms(seed, number, ordinal, "agent", offer)
    return AgentBehaviour(
        pick_up=agent.pick_up.at(u[1]) if u[0] < agent.answers else None,
        talk=agent.talk.at(u[2]),
        wrap_up=agent.wrap_up.at(u[3]),
        order=u[4],
    )


def cause_of(sip: int) -> int:
    """The Q.850 cause that chan_pjsip makes of a final SIP answer."""
    return CAUSE_OF_SIP[sip]
