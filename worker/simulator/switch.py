"""The simulated switch: calls, agent legs and queues as state machines over timed events.

Pure but for two things given to it: `emit` takes each event's text, `engine` calls back at instants. Event
for event it does what Asterisk 16.28 shows to a filtered AMI user; where Asterisk's threads race (chiefly
OriginateResponse, sent by a thread of its own) the order is drawn with the frequencies counted in a capture
of 200 real calls. Letters as there: N Newchannel, R Newstate Ringing, S DialState, U Newstate Up, D DialEnd,
O OriginateResponse, Q QueueCallerJoin, A AgentConnect, H Hangup, L QueueCallerLeave, M QueueMemberStatus.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from worker.simulator.behaviour import AgentBehaviour, Behaviour, cause_of, draw, offered, uniforms
from worker.simulator.engine import Engine, Timer
from worker.simulator.events import DIAL_STATUS, RING, RINGING, UP, Channel, hangup
from worker.simulator.queues import IN_USE, NOT_IN_USE, UNAVAILABLE, CallQueue, Device, Entry, Member
from worker.simulator.queues import RINGING as DEVICE_RINGING
from worker.simulator.scenario import MACHINE, SAFE_HARBOUR, Agent, Context, Queue, Scenario, Trunk

Emit = Callable[[str, str, str], None]  # class, event name, body

#: A waiting caller looks whether it is its turn that often (app_queue.c, RECHECK).
_RECHECK = 1.0

_Weighted = Sequence[tuple[float, str]]


def _shares(counts: Mapping[str, int]) -> _Weighted:
    """Cumulated shares of the orders, from how often each was seen."""
    total, sum_ = sum(counts.values()), 0
    shares = []
    for order, count in counts.items():
        sum_ += count
        shares.append((sum_ / total, order))
    return shares


_ORDER_RINGING = _shares({"RS": 100, "SR": 35})
_ORDER_ANSWER = _shares({"OUDQ": 35, "UDOQ": 35, "UDQO": 17, "UODQ": 21})
_ORDER_REFUSED = _shares({"ODH": 27, "DOH": 17, "DHO": 14})
_ORDER_TIMED_OUT = _shares({"OH": 22, "HO": 7})
_ORDER_AGENT_RINGS = _shares({"RSM": 29, "RMS": 15, "SRM": 7})
_ORDER_CONNECT = _shares({"LAM": 29, "MLA": 8, "LMA": 3})
_ORDER_COMPLETE = _shares({"hHM": 21, "hMH": 13, "HhM": 6})  # the agent hung up
_ORDER_CALLER_LEFT = _shares({"HhM": 2, "hHM": 1})
_ORDER_ABANDONED = _shares({"BhH": 4, "hBH": 1, "BHh": 2})  # B with L, h with M, while an agent's telephone rang

#: The priority that a call shows on arriving in a context (extensions.conf as shipped).
_STEP = {"queue": 2, "predictive": 3, "message": 2, "machine": 3, "hangup": 1, "hold": 1}


def _pick(orders: _Weighted, u: float) -> str:
    for share, order in orders:
        if u < share:
            return order
    return orders[-1][1]


@dataclass(slots=True)
class SimCall:
    """One call in the carrier's own log. Instants are seconds since 1970, None: it did not happen."""

    number: str
    channel_id: str
    begun: float
    behaviour: str
    trunk: str
    ringing: float | None = None
    answered: float | None = None
    agent: str | None = None
    connected: float | None = None
    played: bool = False
    machine: bool = False  # what has answered, whatever AMD() says
    verdict: str = ""  # AMD()'s
    judged: float | None = None
    let_go: float | None = None  # by the queue, whose patience was over
    ended: float | None = None
    cause: int | None = None
    ended_by: str = ""  # subscriber, agent, dialer, switch, timeout, carrier


@dataclass(slots=True)
class Statistics:
    """What has happened since the start."""

    originated: int = 0
    without_channel: int = 0
    ringing: int = 0
    answered: int = 0
    queued: int = 0
    connected: int = 0
    abandoned: int = 0
    let_go: int = 0  # of them, by the queue: they hear the safe-harbour message, or are hung up on
    played: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    channels: int = 0
    channels_peak: int = 0
    events: int = 0
    causes: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """What an Originate asks, checked for syntax."""

    action_id: str  # a whole line or empty
    dial: str
    context: str
    exten: str
    timeout: float
    number: str  # of the CallerID, '<unknown>' if none
    person: str
    account: str
    channel_id: str
    variables: Mapping[str, str]

    @property
    def caller(self) -> str:
        """The lines of OriginateResponse."""
        return f"CallerIDNum: {self.number}\r\nCallerIDName: {self.person}\r\n"


class Call:
    """One originated call."""

    __slots__ = (
        "application", "behaviour", "channel", "data", "entry", "log", "number", "offer", "ordinal", "other",
        "over", "request", "stage", "timers", "trunk", "up",
    )  # fmt: skip

    def __init__(
        self, request: OriginateRequest, number: str, ordinal: int, *, behaviour: Behaviour, channel: Channel
    ) -> None:
        self.request = request
        self.number = number
        self.ordinal = ordinal
        self.behaviour = behaviour
        self.channel = channel
        self.trunk = ""
        self.other: Channel | None = None  # ;2 of a Local channel
        self.application = self.data = ""
        self.up = False
        self.over = False
        self.entry: Entry | None = None
        self.offer: Offer | None = None
        self.stage: Timer | None = None  # the next step of dialling or of the message
        self.timers: list[Timer] = []
        self.log: SimCall | None = None

    def chance(self, step: int) -> float:
        """A uniform number for the race at `step`, from the one number the draw gave."""
        return (self.behaviour.order * (7919 + 2 * step) + step * 0.618) % 1.0

    def cancel(self) -> None:
        """Nothing of what was planned happens any more."""
        if self.stage is not None:
            self.stage.cancel()
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(slots=True, eq=False)
class Offer:
    """An agent's leg of a call."""

    call: Call
    entry: Entry
    member: Member
    channel: Channel
    agent: AgentBehaviour
    began: float
    connected: float | None = None
    hold: int = 0
    timer: Timer | None = None


class Switch:
    """All channels and queues of one simulated Asterisk."""

    def __init__(
        self, scenario: Scenario, engine: Engine, seed: int, emit: Emit, note: Callable[..., None] | None = None
    ) -> None:
        self.scenario = scenario
        self.engine = engine
        self.clock = engine.clock
        self.seed = seed
        self._emit = emit
        self.note = note
        """Told each step of each call, and each start: (what, instant, **facts). See call_log."""
        self.statistics = Statistics()
        self.calls_log: list[SimCall] = []
        self.keep_log = True
        self._attempts: dict[str, int] = {}  # attempts a number has had; outlives a restart, as people do
        self.contexts = {context.name: context for context in scenario.contexts}
        self.trunks: dict[str, Trunk] = {trunk.name: trunk for trunk in scenario.trunks}
        self._trunk_load: dict[str, int] = {}
        self.on_empty: Callable[[], None] | None = None  # called when the last channel is gone
        self.boot()

    def boot(self) -> None:
        """As after a start of Asterisk: no channels, fresh counters, queues as configured."""
        now = self.clock.time()
        self.booted = now
        if self.note is not None:
            self.note("boot", now, pid=os.getpid())
        self.calls: dict[str, Call] = {}  # by uniqueid
        self.offers: dict[str, Offer] = {}
        self._by_name: dict[str, Call | Offer] = {}
        self._sequence = 0
        self._names: dict[str, int] = {}
        self._trunk_load.clear()
        self.statistics.channels = 0
        self.devices = {agent.interface: Device(agent) for agent in self.scenario.agents}
        self.queues: dict[str, CallQueue] = {}
        for spec in self.scenario.queues:
            self.add_queue(spec, now)
        for device in self.devices.values():
            self._plan_break(device, 0)

    def add_queue(self, spec: Queue, now: float) -> CallQueue:
        queue = self.queues[spec.name] = CallQueue(spec)
        for interface in spec.members:
            self._join_queue(queue, self.devices[interface], "static", now)
        return queue

    def _join_queue(self, queue: CallQueue, device: Device, membership: str, now: float) -> Member:
        member = Member(queue, device, membership, now)
        queue.members.append(member)
        device.members.append(member)
        member.refresh()
        return member

    # --- channels -----------------------------------------------------------------------------------------

    def _channel(
        self, prefix: str, uniqueid: str, linkedid: str, *, context: str, exten: str, suffix: str = ""
    ) -> Channel:
        """A new channel. The number in its name counts per technology, the uniqueid per channel."""
        now = self.clock.time()
        tech = prefix.partition("/")[0]
        count = self._names.get(tech, 0)
        if suffix != ";2":
            self._names[tech] = count + 1
        else:
            count -= 1
        uniqueid = uniqueid or f"{int(now)}.{self._sequence}"
        self._sequence += 1
        statistics = self.statistics
        statistics.channels += 1
        statistics.channels_peak = max(statistics.channels_peak, statistics.channels)
        name = f"{prefix}-{count:08x}{suffix}"
        return Channel(name, uniqueid, linkedid or uniqueid, context=context, exten=exten, born=now)

    def emit(self, kind: str, name: str, body: str) -> None:
        self.statistics.events += 1
        self._emit(kind, name, body)

    def _hangup(self, channel: Channel, cause: int) -> None:
        self.statistics.channels -= 1
        self._by_name.pop(channel.name.lower(), None)
        self.emit("call", "Hangup", channel.block() + hangup(cause))

    def find(self, name: str) -> Call | Offer | None:
        """By channel name (any case, as Asterisk) or by uniqueid."""
        return self.calls.get(name) or self.offers.get(name) or self._by_name.get(name.lower())

    def channels(self) -> Iterator[tuple[Channel, str, str, str]]:
        """Each channel with application, its data and the bridge's id."""
        for call in self.calls.values():
            if call.over:
                continue
            bridge = self._bridge(call) if call.offer and call.offer.connected is not None else ""
            if call.up:
                yield call.channel, call.application, call.data, bridge
            else:
                yield call.channel, "AppDial2", "(Outgoing Line)", ""
            if call.other is not None:
                yield call.other, "", "", ""
            if call.offer is not None:
                yield call.offer.channel, "AppQueue", "(Outgoing Line)", bridge

    def _note(self, call: Call, what: str, at: float, **facts: object) -> None:
        if self.note is not None:
            self.note(what, at, call=call.channel.uniqueid, **facts)

    def _bridge(self, call: Call) -> str:
        digits = blake2b(call.channel.uniqueid.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    # --- dialling -----------------------------------------------------------------------------------------

    def exists(self, context: str, exten: str) -> bool:
        """The dialplan has that extension."""
        found = self.contexts.get(context)
        return found is not None and any(matches(pattern, exten) for pattern in found.extensions)

    def originate(self, request: OriginateRequest) -> None:
        """Begin the call as soon as the caller has written its reply."""
        self.engine.after(0.0, self._dial, request)

    def _dial(self, request: OriginateRequest) -> None:
        now = self.clock.time()
        statistics = self.statistics
        statistics.originated += 1
        number, prefix, trunk = self._destination(request.dial)
        if not prefix or request.channel_id in self.calls:
            statistics.without_channel += 1
            uniqueid = request.channel_id or f"{int(now)}.{self._sequence}"
            if self.note is not None:
                self.note("refused", now, call=request.channel_id, dial=request.dial)
            self._response(request, False, request.dial, 0, uniqueid)
            return
        ordinal = self._attempts.get(number, 0)
        self._attempts[number] = ordinal + 1
        behaviour = draw(self.scenario.subscribers, self.seed, number, ordinal, now)
        local = prefix.startswith("Local/")
        context, exten = (prefix.partition("@")[2], number) if local else (trunk.context if trunk else "", "s")
        suffix = ";1" if local else ""
        channel = self._channel(prefix, request.channel_id, "", context=context, exten=exten, suffix=suffix)
        call = Call(request, number, ordinal, behaviour=behaviour, channel=channel)
        call.trunk = trunk.name if trunk else "Local"
        call.log = SimCall(number, channel.uniqueid, now, behaviour.name, call.trunk, machine=behaviour.machine)
        if self.keep_log:
            self.calls_log.append(call.log)
        self._note(call, "originate", now, number=number, trunk=call.trunk, variables=dict(request.variables))
        self.calls[channel.uniqueid] = self._by_name[channel.name.lower()] = call
        self.emit("call", "Newchannel", channel.block())
        if local:
            other = self._channel(
                prefix, f"{channel.uniqueid};2", channel.uniqueid, context=context, exten=exten, suffix=";2"
            )
            other.update(state=RING)
            call.other = other
            self._by_name[other.name.lower()] = call
            self.emit("call", "Newchannel", other.block())
            other.update(account=request.account)
        channel.update(number=request.number, person=request.person, account=request.account)
        if call.other is not None and context not in self.scenario.local_contexts:
            call.over = True
            self._hangup(call.other, 0)
            self._hangup(channel, 0)
            self._response(request, False, request.dial, 0, channel.uniqueid)
            self._gone(call, 0, "switch")
            return
        self._start(call, trunk)

    def _start(self, call: Call, trunk: Trunk | None) -> None:
        """The INVITE is on its way; what comes back first, and when?"""
        behaviour = call.behaviour
        sip = behaviour.sip
        if trunk is not None:
            load = self._trunk_load.get(trunk.name, 0)
            self._trunk_load[trunk.name] = load + 1
            if trunk.max_channels and load >= trunk.max_channels:
                sip = 503
            sip = trunk.refuses or sip
        if sip and call.log is not None:
            call.log.behaviour = str(sip)
        timeout = call.request.timeout
        if sip:
            self._stage(call, behaviour.first_response, timeout, self._refused, cause_of(sip))
        elif behaviour.progress == "none":
            answer = behaviour.answer_after
            self._stage(call, None if answer is None else behaviour.first_response + answer, timeout, self._answered)
        else:
            self._stage(call, behaviour.first_response, timeout, self._progress)

    def _destination(self, dial: str) -> tuple[str, str, Trunk | None]:
        """(number, prefix of the channel's name, trunk) of PJSIP/<number>@<trunk>, SIP/<trunk>/<number> and
        Local/<number>@<context>[/n]; an empty prefix: that gives no channel."""
        tech, _, rest = dial.partition("/")
        if tech == "Local":
            number, _, context = rest.removesuffix("/n").partition("@")
            return number, f"Local/{number}@{context}" if number and context else "", None
        if tech not in ("PJSIP", "SIP"):
            return "", "", None
        number, _, name = rest.rpartition("@") if "@" in rest else tuple(reversed(rest.partition("/")))
        trunk = self.trunks.get(name)
        return number, f"{tech}/{name}" if trunk and number else "", trunk

    def _stage(
        self, call: Call, after: float | None, timeout: float, step: Callable[..., None], *arguments: int
    ) -> None:
        """The next step of dialling, unless the timeout of Originate (counted from its start) comes first."""
        elapsed = self.clock.time() - call.channel.born
        if after is None or elapsed + after >= timeout:
            call.stage = self.engine.after(max(0.0, timeout - elapsed), self._timed_out, call)
        else:
            call.stage = self.engine.after(after, step, call, *arguments)

    def _progress(self, call: Call) -> None:
        """180, or 183 with media: then there is only a DialState."""
        channel = call.channel
        self.statistics.ringing += 1
        if call.log is not None:
            call.log.ringing = self.clock.time()
            self._note(call, "ringing", call.log.ringing)
        if call.behaviour.progress == "early":
            self.emit("call", "DialState", f"{channel.dest()}DialStatus: PROGRESS\r\n")
        else:
            for letter in _pick(_ORDER_RINGING, call.chance(0)):
                if letter == "R":
                    channel.update(state=RINGING)
                    self.emit("call", "Newstate", channel.block())
                else:
                    self.emit("call", "DialState", f"{channel.dest()}DialStatus: RINGING\r\n")
        self._stage(call, call.behaviour.answer_after, call.request.timeout, self._answered)

    def _response(self, request: OriginateRequest, success: bool, channel: str, reason: int, uniqueid: str) -> None:
        body = (
            f"{request.action_id}Response: {'Success' if success else 'Failure'}\r\nChannel: {channel}\r\n"
            f"Context: {request.context}\r\nExten: {request.exten}\r\nReason: {reason}\r\n"
            f"Uniqueid: {uniqueid}\r\n{request.caller}"
        )
        self.emit("call", "OriginateResponse", body)

    def _refused(self, call: Call, cause: int) -> None:
        """The carrier's final answer is no."""
        call.over = True
        call.cancel()
        reason = {17: 5, 34: 8}.get(cause, 0) if call.other else 0
        self._failed(call, _pick(_ORDER_REFUSED, call.chance(1)), reason, cause, "carrier")

    def _timed_out(self, call: Call) -> None:
        """Nobody answered within the Timeout of the Originate."""
        call.over = True
        call.cancel()
        self._failed(call, _pick(_ORDER_TIMED_OUT, call.chance(1)), 3, 0, "timeout")

    def _failed(self, call: Call, order: str, reason: int, cause: int, ended_by: str) -> None:
        """The events of a call that was never answered: O, D and H in that order."""
        channel = call.channel
        for letter in order:
            if letter == "O":
                self._response(call.request, False, call.request.dial, reason, channel.uniqueid)
            elif letter == "D":
                self.emit("call", "DialEnd", f"{channel.dest()}DialStatus: {DIAL_STATUS.get(cause, 'NOANSWER')}\r\n")
            else:
                # A Local channel's own end shows the cause only when the dialplan hung up with it.
                self._hangup(channel, 0 if call.other and cause in DIAL_STATUS else cause)
                if call.other is not None:
                    self._hangup(call.other, cause)
        self._gone(call, cause, ended_by)

    def _answered(self, call: Call) -> None:
        """200 OK: the call is up and enters the dialplan."""
        now = self.clock.time()
        call.up = True
        self.statistics.answered += 1
        if call.log is not None:
            call.log.answered = now
            self._note(call, "answered", now)
        channel = call.channel
        for letter in _pick(_ORDER_ANSWER, call.chance(1)):
            if letter == "O":
                self._response(call.request, True, channel.name, 4, channel.uniqueid)
            elif letter == "U":
                if call.other is not None:
                    call.other.update(state=UP)
                    self.emit("call", "Newstate", call.other.block())
                channel.update(state=UP)
                self.emit("call", "Newstate", channel.block())
            elif letter == "D":
                self.emit("call", "DialEnd", f"{channel.dest()}DialStatus: ANSWER\r\n")
            else:
                self._enter_dialplan(call)
        if call.behaviour.leaves_after is not None and not call.over:
            call.timers.append(self.engine.after(call.behaviour.leaves_after, self.subscriber_leaves, call))

    def _enter_dialplan(self, call: Call) -> None:
        self._enter_context(call, self.contexts[call.request.context])

    def _enter_context(self, call: Call, context: Context) -> None:
        """Arrive there, from Originate or from another context. Whatever extension was asked for, it goes on to `s`."""
        variables, behaviour = call.request.variables, call.behaviour
        call.channel.update(context=context.name, exten="s", priority=_STEP[context.does])
        call.application = call.data = ""
        leave_message = context.does == "message" or variables.get("DIALER_MACHINE") == "message"
        if context.does == "queue":
            self._enter_queue(call)
        elif context.does == "predictive":
            if variables.get("DIALER_AMD"):
                self._detect(call)
            else:
                self._enter_queue(call, priority=6)
        elif context.does in ("message", "machine") and leave_message:
            call.application = "Playback"
            length = context.message.at(behaviour.message)
            if behaviour.hears_out:
                call.stage = self.engine.after(length, self._played, call, _STEP[context.does] + 2)
            else:
                call.stage = self.engine.after(length * behaviour.heard, self.subscriber_leaves, call)
        elif context.does in ("hangup", "machine"):
            if context.does == "machine":
                call.channel.update(priority=6)
            call.stage = self.engine.after(0.0005, self._dialplan_ends, call)
        else:
            call.application = "Wait"

    def _go_to(self, call: Call, name: str) -> None:
        """Goto(name,s,1); a context that does not exist ends the call."""
        context = self.contexts.get(name)
        if context is None:
            self._dialplan_ends(call)
        else:
            self._enter_context(call, context)

    def _detect(self, call: Call) -> None:
        """AMD() listens; a person may not care to wait for its verdict."""
        behaviour = call.behaviour
        call.application = "AMD"
        if behaviour.bears_silence is not None and behaviour.bears_silence < behaviour.verdict_after:
            call.stage = self.engine.after(behaviour.bears_silence, self.subscriber_leaves, call)
        else:
            call.stage = self.engine.after(behaviour.verdict_after, self._judged, call)

    def _judged(self, call: Call) -> None:
        """AMD() has its verdict: machines and people go different ways."""
        behaviour = call.behaviour
        call.application = ""
        call.channel.update(priority=4)
        self._tell_verdict(call, behaviour.verdict, behaviour.verdict_reason)
        if behaviour.verdict == "MACHINE":
            self._go_to(call, MACHINE)
        else:
            self._enter_queue(call, priority=6)

    def _tell_verdict(self, call: Call, verdict: str, reason: str) -> None:
        statistics = self.statistics
        statistics.verdicts[verdict] = statistics.verdicts.get(verdict, 0) + 1
        if call.log is not None:
            call.log.verdict, call.log.judged = verdict, self.clock.time()
            self._note(call, "amd", call.log.judged, verdict=verdict, machine=call.behaviour.machine)
        self._user_event(call, "DialerAmd", f"Status: {verdict}\r\nCause: {reason}\r\n")

    def _user_event(self, call: Call, name: str, tail: str = "") -> None:
        attempt = call.request.variables.get("DIALER_ATTEMPT", "")
        self.emit("user", "UserEvent", f"{call.channel.block()}UserEvent: {name}\r\nAttempt: {attempt}\r\n{tail}")

    def _played(self, call: Call, priority: int) -> None:
        """The message was heard to its end; the dialplan says so, at `priority`, and hangs up."""
        self.statistics.played += 1
        if call.log is not None:
            call.log.played = True
            self._note(call, "played", self.clock.time())
        call.channel.update(priority=priority)
        self._user_event(call, "DialerPlayed")
        call.channel.update(priority=priority + 1)
        self._dialplan_ends(call)

    def _dialplan_ends(self, call: Call) -> None:
        """The dialplan's own Hangup()."""
        call.over = True
        call.cancel()
        self._end(call, 16, "switch")

    def _end(self, call: Call, cause: int, ended_by: str) -> None:
        """Hangup of an answered call that has no agent's leg."""
        self._hangup_extension(call)
        if call.other is not None:
            self._hangup(call.other, cause)
        self._hangup(call.channel, cause)
        self._gone(call, cause, ended_by)

    def _hangup_extension(self, call: Call) -> None:
        """The extension `h` of the context `predictive`: whom AMD() lost while it listened is told of there."""
        context = self.contexts.get(call.channel.context)
        if context is None or context.does != "predictive":
            return
        if call.application == "AMD":
            call.channel.update(exten="h", priority=2)
            self._tell_verdict(call, "HANGUP", "")
        call.channel.update(exten="h", priority=4)

    def _gone(self, call: Call, cause: int, ended_by: str) -> None:
        """Book the end."""
        statistics = self.statistics
        statistics.ended += 1
        statistics.causes[cause] = statistics.causes.get(cause, 0) + 1
        self.calls.pop(call.channel.uniqueid, None)
        if call.trunk in self._trunk_load:
            self._trunk_load[call.trunk] -= 1
        if call.log is not None:
            call.log.ended = self.clock.time()
            call.log.cause = cause
            call.log.ended_by = ended_by
            self._note(call, "ended", call.log.ended, cause=cause, by=ended_by)
        if not self.calls and self.on_empty is not None:
            self.on_empty()

    # --- the queue ----------------------------------------------------------------------------------------

    def _enter_queue(self, call: Call, priority: int = 2) -> None:
        """Queue(${DIALER_QUEUE},r,,,longest wait), the `priority` of its context."""
        variables = call.request.variables
        name = variables.get("DIALER_QUEUE", "")
        call.channel.update(priority=priority)
        queue = self.queues.get(name)
        if queue is None:  # Queue() of an unknown name logs a warning, and the dialplan goes on
            call.stage = self.engine.after(0.001, self._after_queue, call)
            return
        now = self.clock.time()
        longest = queue.spec.max_wait
        if self.contexts[call.channel.context].does == "predictive" and variables.get("DIALER_PATIENCE", "").isdigit():
            longest = float(variables["DIALER_PATIENCE"])
        call.application, call.data = "Queue", f"{name},r,,,{longest:g}" if longest else name
        self.statistics.queued += 1
        entry = Entry(call, queue, now, len(queue.entries) + 1, wake_at=self.clock.monotonic())
        if longest:
            entry.expires = int(now) + longest  # app_queue counts whole seconds: time(NULL) + timeout
        queue.entries.append(entry)
        call.entry = entry
        count = len(queue.entries)
        self.emit(
            "agent",
            "QueueCallerJoin",
            f"{call.channel.block()}Queue: {name}\r\nPosition: {count}\r\nCount: {count}\r\n",
        )
        if call.behaviour.patience is not None:
            call.timers.append(self.engine.after(call.behaviour.patience, self.subscriber_leaves, call))
        if longest:
            call.timers.append(self.engine.after(longest, self._waited_enough, call))
        # Not within this burst: OriginateResponse may still have to be written.
        entry.tick_set = True
        self.engine.after(0.0, self._tick, entry)

    def _tick(self, entry: Entry) -> None:
        """The caller's thread looks whether it is its turn."""
        entry.tick_set = False
        if entry.call.entry is not entry or entry.being_offered:
            return
        entry.wake_at = self.clock.monotonic()
        if self.clock.time() >= entry.expires:
            self._waited_enough(entry.call)
            return
        if any(other is entry for other in entry.queue.in_turn()):
            entry.being_offered = True
            entry.tried.clear()
            self._offer(entry)

    def poll(self, queue: CallQueue) -> None:
        """A member may have become free: who is in turn notices at its next look, within a second."""
        if not queue.entries:
            return
        now = self.clock.monotonic()
        for entry in queue.in_turn():
            if not entry.tick_set:
                entry.tick_set = True
                self.engine.after((entry.wake_at - now) % _RECHECK, self._tick, entry)

    def _offer(self, entry: Entry) -> None:
        """Ring the next free member for this caller, or pause."""
        queue, call = entry.queue, entry.call
        member = queue.choose(entry.tried)
        if member is None:
            entry.being_offered = False
            entry.tick_set = True
            self.engine.after(queue.spec.retry, self._tick, entry)
            return
        device = member.device
        device.set_state(DEVICE_RINGING)
        channel = self._channel(member.interface, "", call.channel.uniqueid, context="from-agent", exten="s")
        behaviour = offered(device.agent, self.seed, call.number, call.ordinal, entry.offers)
        entry.offers += 1
        entry.tried.append(member)
        offer = Offer(call, entry, member, channel, behaviour, self.clock.time())
        call.offer = self.offers[channel.uniqueid] = self._by_name[channel.name.lower()] = offer
        self.emit("call", "Newchannel", channel.block())
        channel.update(number=call.channel.number, person=call.channel.person, account=call.channel.account)
        self._agent_event("AgentCalled", offer)
        if device.agent.busy:
            offer.timer = self.engine.after(0.004, self._agent_refuses, offer)
        else:
            offer.timer = self.engine.after(0.002, self._agent_rings, offer)

    def _agent_event(self, name: str, offer: Offer, tail: str = "", *, leg: bool = True) -> None:
        member = offer.member
        dest = offer.channel.dest() if leg else ""
        self.emit(
            "agent",
            name,
            f"{offer.call.channel.block()}{dest}Queue: {member.queue.spec.name}\r\n"
            f"Interface: {member.interface}\r\nMemberName: {member.name}\r\n{tail}",
        )

    def _agent_dial(self, name: str, offer: Offer, status: str) -> None:
        self.emit("call", name, f"{offer.call.channel.block()}{offer.channel.dest()}DialStatus: {status}\r\n")

    def _device(self, device: Device, state: int) -> None:
        """A telephone's state changed: every queue it is in tells it."""
        device.set_state(state)
        if device.shown != state:
            device.shown = state
            for member in device.members:
                self.emit("agent", "QueueMemberStatus", member.event_body())

    def _agent_rings(self, offer: Offer) -> None:
        for letter in _pick(_ORDER_AGENT_RINGS, offer.agent.order):
            if letter == "R":
                offer.channel.update(state=RINGING)
                self.emit("call", "Newstate", offer.channel.block())
            elif letter == "S":
                self._agent_dial("DialState", offer, "RINGING")
            else:
                self._device(offer.member.device, DEVICE_RINGING)
        timeout = self._rings_for(offer)
        pick_up = offer.agent.pick_up
        if pick_up is not None and pick_up < timeout:
            offer.timer = self.engine.after(pick_up, self._agent_answers, offer)
        else:
            offer.timer = self.engine.after(timeout, self._agent_rings_out, offer)

    def _rings_for(self, offer: Offer) -> float:
        """How long the agent is rung: the queue's timeout, within what is left of the caller's time (whole seconds)."""
        left = offer.entry.expires - int(offer.began)
        return min(offer.member.queue.spec.timeout, max(1.0, left))

    def _agent_refuses(self, offer: Offer, cause: int = 17) -> None:
        """486 from the agent's telephone, or the leg was cut: the next one is rung in the same breath."""
        rung = (int(self.clock.time()) - int(offer.began)) * 1000
        self._agent_dial("DialEnd", offer, "NOANSWER")
        self._agent_event("AgentRingNoAnswer", offer, f"RingTime: {rung}\r\n")
        self._drop_leg(offer, cause)
        self._offer(offer.entry)

    def _agent_rings_out(self, offer: Offer) -> None:
        """The agent did not pick up within the queue's timeout: two DialEnd, as 16 does."""
        ringing = round(self._rings_for(offer) * 1000)
        self._agent_event("AgentRingNoAnswer", offer, f"RingTime: {ringing}\r\n")
        self._agent_dial("DialEnd", offer, "NOANSWER")
        self._agent_dial("DialEnd", offer, "CANCEL")
        self._drop_leg(offer, 0)
        entry = offer.entry
        entry.being_offered = False
        if self.clock.time() >= entry.expires:
            self._waited_enough(offer.call)
            return
        entry.tick_set = True
        self.engine.after(entry.queue.spec.retry, self._tick, entry)

    def _drop_leg(self, offer: Offer, cause: int) -> None:
        """The agent's leg ends before it was connected."""
        if offer.timer is not None:
            offer.timer.cancel()
        offer.call.offer = None
        self.offers.pop(offer.channel.uniqueid, None)
        self._hangup(offer.channel, cause)
        self._device_free(offer.member.device)

    def _device_free(self, device: Device) -> None:
        self._device(device, NOT_IN_USE if device.present else UNAVAILABLE)
        for member in device.members:
            self.poll(member.queue)

    def _agent_answers(self, offer: Offer) -> None:
        call, entry, member = offer.call, offer.entry, offer.member
        queue, now = member.queue, self.clock.time()
        # Patience and the queue's longest wait are over; leaves_after is set again below.
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()
        offer.channel.update(state=UP)
        self.emit("call", "Newstate", offer.channel.block())
        self._agent_dial("DialEnd", offer, "ANSWER")
        position = queue.position(entry)
        queue.entries.remove(entry)
        call.entry = None
        offer.connected = now
        offer.hold = int(now) - int(entry.joined)
        queue.note_hold(offer.hold)
        if call.log is not None:
            call.log.connected, call.log.agent = now, member.interface
            self._note(call, "connected", now, agent=member.interface)
        self.statistics.connected += 1
        for letter in _pick(_ORDER_CONNECT, offer.agent.order):
            if letter == "L":
                self._leave_event(call, queue, position)
            elif letter == "A":
                member.in_call = 1
                member.refresh()
                tail = f"HoldTime: {offer.hold}\r\nRingTime: {int(now - offer.began)}\r\n"
                self._agent_event("AgentConnect", offer, tail)
            else:
                self._device(member.device, IN_USE)
        behaviour = call.behaviour
        talk = offer.agent.talk if behaviour.talk is None else behaviour.talk
        end = self.subscriber_leaves if behaviour.ends_talk else self._agent_leaves
        subject: Call | Offer = call if behaviour.ends_talk else offer
        offer.timer = self.engine.after(talk, end, subject)
        if behaviour.leaves_after is not None and call.log is not None and call.log.answered is not None:
            left = behaviour.leaves_after - (now - call.log.answered)
            call.timers.append(self.engine.after(max(0.0, left), self.subscriber_leaves, call))
        self.poll(queue)

    def _leave_event(self, call: Call, queue: CallQueue, position: int) -> None:
        body = f"Queue: {queue.spec.name}\r\nPosition: {position}\r\nCount: {len(queue.entries)}\r\n"
        self.emit("agent", "QueueCallerLeave", call.channel.block() + body)

    def _agent_leaves(self, offer: Offer) -> None:
        self._complete(offer, "agent", 16, "agent")

    def _complete(self, offer: Offer, reason: str, cause: int, ended_by: str, *, leg_first: bool = False) -> None:
        """A conversation ends: AgentComplete, both channels, the telephone free.

        `leg_first`: AMI hung up the agent's leg and it was gone before AgentComplete was written, which then
        lacks that leg's fields.
        """
        call, member, now = offer.call, offer.member, self.clock.time()
        call.over = True
        call.cancel()
        if offer.timer is not None:
            offer.timer.cancel()
        assert offer.connected is not None
        talk = int(now) - int(offer.connected)
        queue = member.queue
        queue.completed += 1
        queue.note_talk(talk)
        member.in_call = 0
        for other in member.device.members:  # shared_lastcall = yes
            other.calls_taken += 1
            other.last_call = int(now)
            wrap = other.queue.spec.wrapuptime
            if wrap:
                # app_queue counts whole seconds: time(NULL) - lastcall < wrapuptime
                other.wrapping = True
                self.engine.after(other.last_call + wrap - now + 0.001, self._wrapped_up, other)
            other.refresh()
        tail = f"HoldTime: {offer.hold}\r\nTalkTime: {talk}\r\nReason: {reason}\r\n"
        order = _pick(_ORDER_COMPLETE if reason == "agent" else _ORDER_CALLER_LEFT, call.chance(2))
        if leg_first:
            self._hangup(offer.channel, cause)
            self._agent_event("AgentComplete", offer, tail, leg=False)
            order = "HM"
        else:
            self._agent_event("AgentComplete", offer, tail)
        self.offers.pop(offer.channel.uniqueid, None)
        for letter in order:
            if letter == "h":
                self._hangup(offer.channel, cause)
            elif letter == "M":
                self._device(member.device, NOT_IN_USE if member.device.present else UNAVAILABLE)
            else:
                self._end(call, cause, ended_by)
        call.offer = None
        self._after_call(offer)

    def _after_call(self, offer: Offer) -> None:
        """The agent may pause to write a note; who is free again is offered to those who wait."""
        device = offer.member.device
        if offer.agent.wrap_up > 0 and not device.on_break:
            device.wrapping = True
            self.pause(device, True, "wrap-up")
            self.engine.after(offer.agent.wrap_up, self._written_up, device)
        for member in device.members:
            self.poll(member.queue)

    def _written_up(self, device: Device) -> None:
        device.wrapping = False
        if not device.on_break:
            self.pause(device, False, "")

    def _plan_break(self, device: Device, count: int) -> None:
        """The agent's next break, from now on; `count` it has had."""
        agent = device.agent
        u = uniforms(self.seed, agent.interface, "break", count)
        after = agent.break_after.at(u[0])
        if after > 0:
            self.engine.after(after, self._break_begins, device, count, agent.break_length.at(u[1]))

    def _break_begins(self, device: Device, count: int, length: float) -> None:
        device.on_break = True
        self.pause(device, True, "break")
        self.engine.after(length, self._break_ends, device, count)

    def _break_ends(self, device: Device, count: int) -> None:
        device.on_break = False
        self.pause(device, device.wrapping, "wrap-up" if device.wrapping else "")
        self._plan_break(device, count + 1)

    def _wrapped_up(self, member: Member) -> None:
        """The queue's wrapuptime is over (no event), unless there was another call since."""
        if int(self.clock.time()) - member.last_call >= member.queue.spec.wrapuptime:
            member.wrapping = False
            member.refresh()
            self.poll(member.queue)

    def pause(self, device: Device, paused: bool, reason: str, queue: str = "") -> bool:
        """Pause a member in one queue or in all; False: it is in none of them."""
        members = [member for member in device.members if not queue or member.queue.spec.name == queue]
        for member in members:
            member.paused = paused
            member.refresh()
            member.pause_reason = reason if paused else ""
            if paused:
                member.last_pause = int(self.clock.time())
            tail = f"Reason: {reason}\r\n" if reason else ""
            self.emit("agent", "QueueMemberPause", member.event_body() + tail)
            self.poll(member.queue)
        return bool(members)

    def set_present(self, device: Device, present: bool) -> None:
        """Register a telephone, or take it away; one in use is left until its call is over."""
        device.present = present
        if device.state in (NOT_IN_USE, UNAVAILABLE):
            self._device_free(device)

    def add_member(self, queue: CallQueue, interface: str, name: str, paused: bool, penalty: int) -> bool:
        """QueueAdd; False: it is in that queue already."""
        if queue.member(interface) is not None:
            return False
        device = self.devices.get(interface)
        if device is None:
            device = self.devices[interface] = Device(Agent(interface, name))
        member = self._join_queue(queue, device, "dynamic", self.clock.time())
        member.name = name or interface
        member.paused = paused
        member.refresh()
        member.penalty = penalty
        self.emit("agent", "QueueMemberAdded", member.event_body())
        self.poll(queue)
        return True

    def remove_member(self, member: Member) -> None:
        """QueueRemove of a dynamic member."""
        member.queue.members.remove(member)
        member.queue.ready.discard(member)
        member.queue.next_member = 0
        member.device.members.remove(member)
        self.emit("agent", "QueueMemberRemoved", member.event_body())

    # --- ends that others cause ---------------------------------------------------------------------------

    def subscriber_leaves(self, call: Call) -> None:
        """The subscriber hangs up an answered call, wherever it is."""
        self._leave(call, 16, "subscriber")

    def _leave(self, call: Call, cause: int, ended_by: str) -> None:
        if call.over:
            return
        offer = call.offer
        if offer is not None and offer.connected is not None:
            self._complete(offer, "caller", cause or 16, ended_by)
            return
        call.over = True
        call.cancel()
        if call.entry is not None:
            self._abandon(call, call.entry, cause, ended_by)
        else:
            self._end(call, cause, ended_by)

    def _abandon(self, call: Call, entry: Entry, cause: int, ended_by: str) -> None:
        """The caller leaves the queue and is gone. A leg to an agent that rings for him is cancelled first."""
        queue, offer = entry.queue, call.offer
        if offer is not None:
            self._agent_dial("DialEnd", offer, "CANCEL")
            self._agent_dial("DialEnd", offer, "CANCEL")
        for letter in _pick(_ORDER_ABANDONED, call.chance(2)) if offer is not None else "BH":
            if letter == "B":
                self._leave_queue(call, entry)
            elif letter == "H":
                self._end(call, cause, ended_by)
            elif offer is not None:
                self._drop_leg(offer, 0)
        self.poll(queue)

    def _leave_queue(self, call: Call, entry: Entry) -> None:
        """Out of the queue without an agent."""
        queue = entry.queue
        position = queue.position(entry)
        queue.entries.remove(entry)
        queue.abandoned += 1
        call.entry = None
        call.application = call.data = ""
        self.statistics.abandoned += 1
        held = int(self.clock.time()) - int(entry.joined)
        body = (
            f"Queue: {queue.spec.name}\r\nPosition: {position}\r\n"
            f"OriginalPosition: {entry.original_position}\r\nHoldTime: {held}\r\n"
        )
        self.emit("agent", "QueueCallerAbandon", call.channel.block() + body)
        self._leave_event(call, queue, position)

    def _waited_enough(self, call: Call) -> None:
        """Queue(...,,,n) is over. 16 says so as if he had given up; the dialplan goes on with him."""
        entry = call.entry
        if call.over or entry is None or call.offer is not None:  # an agent who is being rung may still answer
            return
        for timer in call.timers:  # his patience with the queue; leaves_after is set again below
            timer.cancel()
        call.timers.clear()
        self._leave_queue(call, entry)
        self.statistics.let_go += 1
        if call.log is not None:
            call.log.let_go = self.clock.time()
            self._note(call, "let_go", call.log.let_go)
            if call.behaviour.leaves_after is not None and call.log.answered is not None:
                left = call.behaviour.leaves_after - (call.log.let_go - call.log.answered)
                call.timers.append(self.engine.after(max(0.0, left), self.subscriber_leaves, call))
        self._after_queue(call)
        self.poll(entry.queue)

    def _after_queue(self, call: Call) -> None:
        """What the dialplan does with a caller whom the queue has not given to anybody."""
        if self.contexts[call.channel.context].does == "predictive":
            self._go_to(call, SAFE_HARBOUR)
        else:
            call.channel.update(priority=call.channel.priority + 1)
            self._dialplan_ends(call)

    def hang_up(self, name: str, cause: int) -> bool:
        """AMI Hangup by channel name or uniqueid; False: there is no such channel."""
        found = self.find(name)
        if found is None:
            return False
        # The reply is written before the events.
        self.engine.after(0.0, self._hang_up, found, cause)
        return True

    def _hang_up(self, found: Call | Offer, cause: int) -> None:
        if isinstance(found, Offer):
            if found.call.over or found.call.offer is not found:
                return
            if found.connected is not None:
                # Two threads race; seen in 3 of 13.
                leg_first = found.call.chance(3) < 0.23
                self._complete(found, "caller", cause or 16, "dialer", leg_first=leg_first)
            else:
                self._agent_refuses(found, cause)
        elif not found.over:
            if found.up:
                self._leave(found, cause, "dialer")
            else:
                found.over = True
                found.cancel()
                order = _pick(_ORDER_REFUSED, found.chance(1))
                # DialEnd knows nothing of the cause given.
                self._cut(found, order, cause, "dialer")

    def _cut(self, call: Call, order: str, cause: int, ended_by: str) -> None:
        """A call still being dialled is cut by us or by a shutdown: DialEnd NOANSWER whatever the cause."""
        channel = call.channel
        for letter in order:
            if letter == "O":
                self._response(call.request, False, call.request.dial, 0, channel.uniqueid)
            elif letter == "D":
                self.emit("call", "DialEnd", f"{channel.dest()}DialStatus: NOANSWER\r\n")
            else:
                self._hangup(channel, cause)
                if call.other is not None:
                    self._hangup(call.other, cause)
        self._gone(call, cause, ended_by)

    def shut_down(self) -> None:
        """`core stop now`: every channel ends with cause 0, calls not yet answered as failed."""
        for call in list(self.calls.values()):
            if call.over:
                continue
            call.over = True
            call.cancel()
            if not call.up:
                self._cut(call, "DOH", 0, "switch")
                continue
            offer, entry = call.offer, call.entry
            if offer is not None and offer.connected is not None:
                self._complete(offer, "agent", 16, "switch")
                continue
            if entry is not None:
                self._abandon(call, entry, 0, "switch")
            else:
                self._end(call, 0, "switch")

    def die(self) -> None:
        """Killed: nothing is said, everything is gone."""
        now = self.clock.time()
        for call in list(self.calls.values()):
            call.over = True
            call.cancel()
            if call.offer is not None and call.offer.timer is not None:
                call.offer.timer.cancel()
            if call.log is not None:
                call.log.ended, call.log.ended_by = now, "switch"
                self._note(call, "ended", now, by="switch")
        self.calls.clear()
        self.offers.clear()
        self._by_name.clear()


def matches(pattern: str, exten: str) -> bool:
    """Asterisk's extension patterns: X 0-9, Z 1-9, N 2-9, [...], '.' one or more, '!' none or more."""
    if not pattern.startswith("_"):
        return pattern == exten
    regex, rest = "", pattern[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        if letter == "[":
            inside, _, rest = rest.partition("]")
            regex += f"[{re.escape(inside).replace(chr(92) + '-', '-')}]"
        else:
            regex += {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}.get(letter, re.escape(letter))
    return re.fullmatch(regex, exten) is not None
