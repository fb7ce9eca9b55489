"""The simulated switch: calls as state machines over timed events, dialled, through the dialplan, to their end.

Pure but for two things given to it: `emit` takes each event's text, `engine` calls back at instants. Event
for event it does what Asterisk 16.28 shows to a filtered AMI user; where Asterisk's threads race (chiefly
OriginateResponse, sent by a thread of its own) the order is drawn with the frequencies counted in a capture of 200 real
calls (letters as in `races`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from simulator.call_log import LoggedCall
from simulator.engine import Engine
from simulator.people import cause_of, draw
from simulator.scenario import KEYS, MACHINE, SAFE_HARBOUR, Context, Scenario, Trunk
from simulator.switch.app_queue import AppQueue
from simulator.switch.calls import Offer, OriginateRequest, SwitchCall
from simulator.switch.channels import Channels, Emit, Note
from simulator.switch.events import DIAL_STATUS, RING, RINGING, UP
from simulator.switch.races import pick, shares

_ORDER_RINGING = shares({"RS": 100, "SR": 35})
_ORDER_ANSWER = shares({"OUDQ": 35, "UDOQ": 35, "UDQO": 17, "UODQ": 21})
_ORDER_REFUSED = shares({"ODH": 27, "DOH": 17, "DHO": 14})
_ORDER_TIMED_OUT = shares({"OH": 22, "HO": 7})

#: The priority that a call shows on arriving in a context (extensions.conf as shipped).
_STEP = {"queue": 2, "predictive": 3, "message": 4, "keys": 4, "machine": 3, "hangup": 1, "hold": 1}
#: message-keys: how often a message is played at most, and how long it waits for a key after it.
_ROUNDS, _WAIT_SECONDS = 5, 4.0


class Switch:
    """One simulated Asterisk: its trunks, its dialplan, its channels and its queues."""

    def __init__(self, scenario: Scenario, engine: Engine, seed: int, emit: Emit, note: Note | None = None) -> None:
        self.scenario = scenario
        self.engine = engine
        self.clock = engine.clock
        self.seed = seed
        self.calls_log: list[LoggedCall] = []
        self.keep_log = True
        self._attempts: dict[str, int] = {}  # attempts a number has had; outlives a restart, as people do
        self.astdb: dict[tuple[str, str], str] = {}  # by family and key; outlives a restart, too
        self.contexts = {context.name: context for context in scenario.contexts}
        self.trunks: dict[str, Trunk] = {trunk.name: trunk for trunk in scenario.trunks}
        self._trunk_load: dict[str, int] = {}
        self.on_empty: Callable[[], None] | None = None  # called when the last channel is gone
        self.channels = Channels(self.clock, emit, note)
        self.app_queue = AppQueue(scenario, engine, seed, channels=self.channels, dialplan=self)
        self._booted()

    def boot(self) -> None:
        """Reset, as after a start of Asterisk: no channels, fresh counters, queues as configured."""
        self._trunk_load.clear()
        self.channels.clear()
        self.app_queue.load()
        self._booted()

    def _booted(self) -> None:
        self.booted = self.clock.time()
        self.channels.note("boot", self.booted, pid=os.getpid())

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
        statistics = self.channels.statistics
        statistics.originated += 1
        number, prefix, trunk = self._destination(request.dial)
        if not prefix or request.channel_id in self.channels.calls:
            statistics.without_channel += 1
            uniqueid = request.channel_id or self.channels.next_uniqueid()
            self.channels.note("refused", now, call=request.channel_id, dial=request.dial)
            self._response(request, False, request.dial, 0, uniqueid)
            return
        ordinal = self._attempts.get(number, 0)
        self._attempts[number] = ordinal + 1
        behaviour = draw(self.scenario.subscribers, self.seed, number, ordinal, now)
        local = prefix.startswith("Local/")
        context, exten = (prefix.partition("@")[2], number) if local else (trunk.context if trunk else "", "s")
        suffix = ";1" if local else ""
        channel = self.channels.open(prefix, request.channel_id, "", context=context, exten=exten, suffix=suffix)
        call = SwitchCall(request, number, ordinal, behaviour=behaviour, channel=channel)
        call.trunk = trunk.name if trunk else "Local"
        call.log = LoggedCall(number, channel.uniqueid, now, behaviour.name, call.trunk, machine=behaviour.machine)
        if self.keep_log:
            self.calls_log.append(call.log)
        self.channels.note_step(
            call, "originate", now, number=number, trunk=call.trunk, variables=dict(request.variables)
        )
        self.channels.add_call(call)
        self.channels.emit("call", "Newchannel", channel.block())
        if local:
            other = self.channels.open(
                prefix, f"{channel.uniqueid};2", channel.uniqueid, context=context, exten=exten, suffix=";2"
            )
            other.update(state=RING)
            self.channels.add_other(call, other)
            self.channels.emit("call", "Newchannel", other.block())
            other.update(account=request.account)
        channel.update(number=request.number, person=request.person, account=request.account)
        if call.other is not None and context not in self.scenario.local_contexts:
            call.over = True
            self.channels.hangup(call.other, 0)
            self.channels.hangup(channel, 0)
            self._response(request, False, request.dial, 0, channel.uniqueid)
            self._gone(call, 0, "switch")
            return
        self._start(call, trunk)

    def _start(self, call: SwitchCall, trunk: Trunk | None) -> None:
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
        self, call: SwitchCall, after: float | None, timeout: float, step: Callable[..., None], *arguments: int
    ) -> None:
        """The next step of dialling, unless the timeout of Originate (counted from its start) comes first."""
        elapsed = self.clock.time() - call.channel.born
        if after is None or elapsed + after >= timeout:
            call.stage = self.engine.after(max(0.0, timeout - elapsed), self._timed_out, call)
        else:
            call.stage = self.engine.after(after, step, call, *arguments)

    def _progress(self, call: SwitchCall) -> None:
        """180, or 183 with media: then there is only a DialState."""
        channel = call.channel
        self.channels.statistics.ringing += 1
        if call.log is not None:
            call.log.ringing = self.clock.time()
            self.channels.note_step(call, "ringing", call.log.ringing)
        if call.behaviour.progress == "early":
            self.channels.emit("call", "DialState", f"{channel.dest()}DialStatus: PROGRESS\r\n")
        else:
            for letter in pick(_ORDER_RINGING, call.chance(0)):
                if letter == "R":
                    channel.update(state=RINGING)
                    self.channels.emit("call", "Newstate", channel.block())
                else:
                    self.channels.emit("call", "DialState", f"{channel.dest()}DialStatus: RINGING\r\n")
        self._stage(call, call.behaviour.answer_after, call.request.timeout, self._answered)

    def _response(self, request: OriginateRequest, success: bool, channel: str, reason: int, uniqueid: str) -> None:
        body = (
            f"{request.action_id}Response: {'Success' if success else 'Failure'}\r\nChannel: {channel}\r\n"
            f"Context: {request.context}\r\nExten: {request.exten}\r\nReason: {reason}\r\n"
            f"Uniqueid: {uniqueid}\r\n{request.caller}"
        )
        self.channels.emit("call", "OriginateResponse", body)

    def _refused(self, call: SwitchCall, cause: int) -> None:
        """The carrier's final answer is no."""
        call.over = True
        call.cancel()
        reason = {17: 5, 34: 8}.get(cause, 0) if call.other else 0
        self._failed(call, pick(_ORDER_REFUSED, call.chance(1)), reason, cause, "carrier")

    def _timed_out(self, call: SwitchCall) -> None:
        """Nobody answered within the Timeout of the Originate."""
        call.over = True
        call.cancel()
        self._failed(call, pick(_ORDER_TIMED_OUT, call.chance(1)), 3, 0, "timeout")

    def _failed(self, call: SwitchCall, order: str, reason: int, cause: int, ended_by: str) -> None:
        """The events of a call that was never answered: O, D and H in that order."""
        channel = call.channel
        for letter in order:
            if letter == "O":
                self._response(call.request, False, call.request.dial, reason, channel.uniqueid)
            elif letter == "D":
                self.channels.emit(
                    "call", "DialEnd", f"{channel.dest()}DialStatus: {DIAL_STATUS.get(cause, 'NOANSWER')}\r\n"
                )
            else:
                # A Local channel's own end shows the cause only when the dialplan hung up with it.
                self.channels.hangup(channel, 0 if call.other and cause in DIAL_STATUS else cause)
                if call.other is not None:
                    self.channels.hangup(call.other, cause)
        self._gone(call, cause, ended_by)

    def _answered(self, call: SwitchCall) -> None:
        """200 OK: the call is up and enters the dialplan."""
        now = self.clock.time()
        call.up = True
        self.channels.statistics.answered += 1
        if call.log is not None:
            call.log.answered = now
            self.channels.note_step(call, "answered", now)
        channel = call.channel
        for letter in pick(_ORDER_ANSWER, call.chance(1)):
            if letter == "O":
                self._response(call.request, True, channel.name, 4, channel.uniqueid)
            elif letter == "U":
                if call.other is not None:
                    call.other.update(state=UP)
                    self.channels.emit("call", "Newstate", call.other.block())
                channel.update(state=UP)
                self.channels.emit("call", "Newstate", channel.block())
            elif letter == "D":
                self.channels.emit("call", "DialEnd", f"{channel.dest()}DialStatus: ANSWER\r\n")
            else:
                self._enter_dialplan(call)
        self._plan_key(call, 0)
        if call.behaviour.leaves_after is not None and not call.over:
            call.timers.append(self.engine.after(call.behaviour.leaves_after, self.subscriber_leaves, call))

    def _enter_dialplan(self, call: SwitchCall) -> None:
        self._enter_context(call, self.contexts[call.request.context])

    def _enter_context(self, call: SwitchCall, context: Context) -> None:
        """Arrive in a context, from Originate or from another context. Every extension goes on to `s`."""
        variables, behaviour = call.request.variables, call.behaviour
        call.channel.update(context=context.name, exten="s", priority=_STEP[context.does])
        call.application = call.data = ""
        leave_message = context.does == "message" or variables.get("DIALER_MACHINE") == "message"
        call.offers = self._offers(call, context)
        if context.does == "queue":
            self._enter_queue(call)
        elif context.does == "predictive":
            if variables.get("DIALER_AMD"):
                self._detect(call)
            else:
                self._enter_queue(call, priority=6)
        elif context.does == "message" and call.offers:
            call.message = context.message.at(behaviour.message)
            self._go_to(call, KEYS)
        elif context.does == "keys":
            self._play_again(call)
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

    def _go_to(self, call: SwitchCall, name: str) -> None:
        """Goto(name,s,1); a context that does not exist ends the call."""
        context = self.contexts.get(name)
        if context is None:
            self._dialplan_ends(call)
        else:
            self._enter_context(call, context)

    # --- keys in a message ----------------------------------------------------------------------------------

    def _offers(self, call: SwitchCall, context: Context) -> dict[str, str]:
        """The keys of a context's message, and what each is for."""
        variables = call.request.variables
        if context.does == "keys":
            return call.offers
        wishes = ("opt_out",) if context.name == SAFE_HARBOUR else ("opt_out", "agent", "repeat")
        return {key: wish for wish in wishes if (key := variables.get(f"DIALER_KEY_{wish.upper()}", ""))}

    def _play_again(self, call: SwitchCall) -> None:
        """Background(): to its end, or until a key."""
        call.rounds += 1
        if call.rounds > _ROUNDS:
            call.channel.update(exten="s", priority=8)
            self._dialplan_ends(call)
            return
        behaviour, length = call.behaviour, call.message
        call.application = "BackGround"
        call.channel.update(exten="s", priority=4)
        if call.rounds == 1:
            wished = next((key for key, wish in call.offers.items() if wish == behaviour.wish), None)
            if wished is not None:
                call.stage = self.engine.after(length * behaviour.wishes_at, self._press, call, wished)
                return
        if behaviour.hears_out:
            call.stage = self.engine.after(length, self._heard, call)
        else:
            call.stage = self.engine.after(length * behaviour.heard, self.subscriber_leaves, call)

    def _heard(self, call: SwitchCall) -> None:
        """The message is over; a key may still be pressed for some seconds."""
        self._tell_played(call, 6)
        call.application = "WaitExten"
        call.channel.update(priority=7)
        call.stage = self.engine.after(_WAIT_SECONDS, self._no_key, call)

    def _no_key(self, call: SwitchCall) -> None:
        call.channel.update(exten="t", priority=1)
        self._dialplan_ends(call)

    def _plan_key(self, call: SwitchCall, place: int) -> None:
        """The subscriber's next key, wherever the call is then."""
        if place < len(call.behaviour.presses) and not call.over:
            after, key = call.behaviour.presses[place]
            self.engine.after(after, self._press_planned, call, key, place)  # whatever else is cancelled meanwhile

    def _press_planned(self, call: SwitchCall, key: str, place: int) -> None:
        self._press(call, key)
        self._plan_key(call, place + 1)

    def _press(self, call: SwitchCall, key: str) -> None:
        """A key; only a message that offers keys takes any notice."""
        if call.over or call.application not in ("BackGround", "WaitExten"):
            return
        if call.stage is not None:
            call.stage.cancel()
        if call.log is not None:
            call.log.keys += key
            self.channels.note_step(call, "pressed", self.clock.time(), key=key)
        wish = call.offers.get(key)
        call.application = ""
        call.channel.update(exten=key, priority=7 if wish == "opt_out" else 2)
        if wish == "opt_out":
            self.channels.statistics.opted_out += 1
            self.astdb["dialer-optout", call.channel.uniqueid] = key
            self._user_event(call, "DialerOptOut", f"Key: {key}\r\n")
            call.channel.update(priority=8)
            self._dialplan_ends(call)
            return
        self._user_event(call, "DialerKey", f"Key: {key}\r\n")
        if wish == "agent":
            self._enter_queue(call, priority=4)
        else:
            self._play_again(call)

    # --- answering machines ---------------------------------------------------------------------------------

    def _detect(self, call: SwitchCall) -> None:
        """AMD() listens; a person may hang up before its verdict."""
        behaviour = call.behaviour
        call.application = "AMD"
        if behaviour.bears_silence is not None and behaviour.bears_silence < behaviour.verdict_after:
            call.stage = self.engine.after(behaviour.bears_silence, self.subscriber_leaves, call)
        else:
            call.stage = self.engine.after(behaviour.verdict_after, self._judged, call)

    def _judged(self, call: SwitchCall) -> None:
        """AMD() has its verdict: machines and people go different ways."""
        behaviour = call.behaviour
        call.application = ""
        call.channel.update(priority=4)
        self._tell_verdict(call, behaviour.verdict, behaviour.verdict_reason)
        if behaviour.verdict == "MACHINE":
            self._go_to(call, MACHINE)
        else:
            self._enter_queue(call, priority=6)

    def _enter_queue(self, call: SwitchCall, priority: int = 2) -> None:
        """Queue(${DIALER_QUEUE},r,,,longest wait), the `priority` of its context."""
        variables = call.request.variables
        call.channel.update(priority=priority)
        longest = None
        if self.contexts[call.channel.context].does == "predictive" and variables.get("DIALER_PATIENCE", "").isdigit():
            longest = float(variables["DIALER_PATIENCE"])
        if not self.app_queue.join(call, variables.get("DIALER_QUEUE", ""), longest):
            # Queue() of an unknown name logs a warning, and the dialplan goes on.
            call.stage = self.engine.after(0.001, self.after_queue, call)

    def after_queue(self, call: SwitchCall) -> None:
        """What the dialplan does with a caller who got no agent."""
        if self.contexts[call.channel.context].does == "predictive":
            self._go_to(call, SAFE_HARBOUR)
        else:
            call.channel.update(priority=call.channel.priority + 1)
            self._dialplan_ends(call)

    def _tell_verdict(self, call: SwitchCall, verdict: str, reason: str) -> None:
        statistics = self.channels.statistics
        statistics.verdicts[verdict] = statistics.verdicts.get(verdict, 0) + 1
        if call.log is not None:
            call.log.verdict, call.log.judged = verdict, self.clock.time()
            self.channels.note_step(call, "amd", call.log.judged, verdict=verdict, machine=call.behaviour.machine)
        self._user_event(call, "DialerAmd", f"Status: {verdict}\r\nCause: {reason}\r\n")

    def _user_event(self, call: SwitchCall, name: str, tail: str = "") -> None:
        attempt = call.request.variables.get("DIALER_ATTEMPT", "")
        self.channels.emit(
            "user", "UserEvent", f"{call.channel.block()}UserEvent: {name}\r\nAttempt: {attempt}\r\n{tail}"
        )

    def _played(self, call: SwitchCall, priority: int) -> None:
        """The message was heard to its end; the dialplan says so, at `priority`, and hangs up."""
        self._tell_played(call, priority)
        call.channel.update(priority=priority + 1)
        self._dialplan_ends(call)

    def _tell_played(self, call: SwitchCall, priority: int) -> None:
        self.channels.statistics.played += 1
        if call.log is not None:
            call.log.played = True
            self.channels.note_step(call, "played", self.clock.time())
        call.channel.update(priority=priority)
        self._user_event(call, "DialerPlayed")

    def _dialplan_ends(self, call: SwitchCall) -> None:
        """The dialplan's own Hangup()."""
        call.over = True
        call.cancel()
        self.end(call, 16, "switch")

    def end(self, call: SwitchCall, cause: int, ended_by: str) -> None:
        """Hangup of an answered call that has no agent's leg."""
        self._hangup_extension(call)
        if call.other is not None:
            self.channels.hangup(call.other, cause)
        self.channels.hangup(call.channel, cause)
        self._gone(call, cause, ended_by)

    def _hangup_extension(self, call: SwitchCall) -> None:
        """The extension `h` of the context `predictive`: it reports callers who hung up while AMD() listened."""
        context = self.contexts.get(call.channel.context)
        if context is None or context.does != "predictive":
            return
        if call.application == "AMD":
            call.channel.update(exten="h", priority=2)
            self._tell_verdict(call, "HANGUP", "")
        call.channel.update(exten="h", priority=4)

    def _gone(self, call: SwitchCall, cause: int, ended_by: str) -> None:
        """Book the end."""
        statistics = self.channels.statistics
        statistics.ended += 1
        statistics.causes[cause] = statistics.causes.get(cause, 0) + 1
        self.channels.calls.pop(call.channel.uniqueid, None)
        if call.trunk in self._trunk_load:
            self._trunk_load[call.trunk] -= 1
        if call.log is not None:
            call.log.ended = self.clock.time()
            call.log.cause = cause
            call.log.ended_by = ended_by
            self.channels.note_step(call, "ended", call.log.ended, cause=cause, by=ended_by)
        if not self.channels.calls and self.on_empty is not None:
            self.on_empty()

    # --- ends that others cause ---------------------------------------------------------------------------

    def subscriber_leaves(self, call: SwitchCall) -> None:
        """The subscriber hangs up an answered call, wherever it is."""
        self._leave(call, 16, "subscriber")

    def _leave(self, call: SwitchCall, cause: int, ended_by: str) -> None:
        if call.over:
            return
        offer = call.offer
        if offer is not None and offer.connected is not None:
            self.app_queue.complete(offer, "caller", cause or 16, ended_by)
            return
        call.over = True
        call.cancel()
        if call.entry is not None:
            self.app_queue.abandon(call, call.entry, cause, ended_by)
        else:
            self.end(call, cause, ended_by)

    def hang_up(self, name: str, cause: int) -> bool:
        """AMI Hangup by channel name or uniqueid; False: there is no such channel."""
        found = self.channels.find(name)
        if found is None:
            return False
        # The reply is written before the events.
        self.engine.after(0.0, self._hang_up, found, cause)
        return True

    def _hang_up(self, found: SwitchCall | Offer, cause: int) -> None:
        if isinstance(found, Offer):
            if found.call.over or found.call.offer is not found:
                return
            if found.connected is not None:
                # Two threads race; seen in 3 of 13.
                leg_first = found.call.chance(3) < 0.23
                self.app_queue.complete(found, "caller", cause or 16, "dialer", leg_first=leg_first)
            else:
                self.app_queue.agent_refuses(found, cause)
        elif not found.over:
            if found.up:
                self._leave(found, cause, "dialer")
            else:
                found.over = True
                found.cancel()
                order = pick(_ORDER_REFUSED, found.chance(1))
                # DialEnd knows nothing of the cause given.
                self._cut(found, order, cause, "dialer")

    def _cut(self, call: SwitchCall, order: str, cause: int, ended_by: str) -> None:
        """A call still being dialled is cut by us or by a shutdown: DialEnd NOANSWER whatever the cause."""
        channel = call.channel
        for letter in order:
            if letter == "O":
                self._response(call.request, False, call.request.dial, 0, channel.uniqueid)
            elif letter == "D":
                self.channels.emit("call", "DialEnd", f"{channel.dest()}DialStatus: NOANSWER\r\n")
            else:
                self.channels.hangup(channel, cause)
                if call.other is not None:
                    self.channels.hangup(call.other, cause)
        self._gone(call, cause, ended_by)

    def shut_down(self) -> None:
        """`core stop now`: every channel ends with cause 0, calls not yet answered as failed."""
        for call in list(self.channels.calls.values()):
            if call.over:
                continue
            call.over = True
            call.cancel()
            if not call.up:
                self._cut(call, "DOH", 0, "switch")
                continue
            offer, entry = call.offer, call.entry
            if offer is not None and offer.connected is not None:
                self.app_queue.complete(offer, "agent", 16, "switch")
                continue
            if entry is not None:
                self.app_queue.abandon(call, entry, 0, "switch")
            else:
                self.end(call, 0, "switch")

    def die(self) -> None:
        """Killed: no event, and everything is gone."""
        now = self.clock.time()
        for call in list(self.channels.calls.values()):
            call.over = True
            call.cancel()
            if call.offer is not None and call.offer.timer is not None:
                call.offer.timer.cancel()
            if call.log is not None:
                call.log.ended, call.log.ended_by = now, "switch"
                self.channels.note_step(call, "ended", now, by="switch")
        self.channels.clear()


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
