"""What Asterisk says of our calls, turned into the steps and the outcome of each attempt.

The promise: after Originate exactly one outcome is recorded, whatever dies. AMI events come late, twice or in
another order (OriginateResponse is sent by a thread of its own), so nothing here depends on their order: each
event sets a fact, and after each one the call is asked whether it is over. What is conclusive ends it at once;
where a fact may still be on its way, it is waited for. An event belongs to a call only if it names the 128-bit
Uniqueid or ActionID that was drawn for it; a caller who forges events cannot know them.

No I/O: events, replies and the time come in, reports for the ledger go out (`changed`, `over`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from worker.ami.message import Event
from worker.model import AmdVerdict, Begun, OpenAttempt, Outcome, State, Step, reached

# Hangup causes of ITU-T Q.850 as Asterisk 16 reports them for PJSIP (res_pjsip makes a cause of SIP's response:
# 404 is 1, 486 is 17, 480 is 19, 603 and 403 are 21, 503 is 34, …).
_OUTCOME_OF_CAUSE = {
    1: Outcome.INVALID,
    17: Outcome.BUSY,
    18: Outcome.NOANSWER,
    19: Outcome.NOANSWER,
    20: Outcome.UNAVAILABLE,
    21: Outcome.REJECTED,
    22: Outcome.INVALID,
    27: Outcome.UNAVAILABLE,
    28: Outcome.INVALID,
    34: Outcome.CONGESTION,
    38: Outcome.CONGESTION,
    41: Outcome.CONGESTION,
    42: Outcome.CONGESTION,
}
# Reason of OriginateResponse: 3 is the time-out; 5 and 8 are true of Local channels only, whose cause is 0.
_TIMED_OUT = 3
_OUTCOME_OF_REASON = {_TIMED_OUT: Outcome.NOANSWER, 5: Outcome.BUSY, 8: Outcome.CONGESTION}

LATE_SECONDS = 2.0
"""How long the other facts of an ending may take after the first: OriginateResponse, Hangup, AgentConnect, …"""
OVERDUE_SECONDS = 5.0
"""How long after its ring time-out a call may be silent before Asterisk is asked whether it exists."""
UNSEEN_SECONDS = 20.0
"""How long after its begin the same may be if Asterisk never showed that it has the Originate: a link that was silent,
or an Asterisk that was frozen, may have it still, though the worker that sent it is gone."""
SHUTDOWN_SECONDS = 4.0
"""How long an ending that looks like a shutdown waits for the shutdown to show."""
_UP = "6"
_RINGING = "5"
_LOCAL = "Local/"
_VERDICTS = frozenset(AmdVerdict)
_PEOPLE = (AmdVerdict.HUMAN, AmdVerdict.NOTSURE)
_STEPS = tuple(Step)


@dataclass(eq=False)
class Call:
    """One attempt on its way. Instants are those of the clock's monotonic()."""

    attempt_id: int
    case_id: int
    project_id: str
    phone_number: str
    type: str
    queue: str
    trunk: str
    channel: str
    channel_id: str
    action_id: str
    dial_seconds: float
    abandon_seconds: float
    begun: float
    amd: bool = False
    """The dialplan was asked to find out whether a machine has answered."""
    amd_verdict: AmdVerdict | None = None
    steps: dict[Step, float] = field(default_factory=dict)
    agent: str | None = None
    """The interface that talks to the subscriber; '' if it is known only that somebody does."""
    offered: set[str] = field(default_factory=set)
    """The interfaces that are being rung for this call."""
    local: bool = False
    """Its channel is a Local one, which may be optimised away while the call goes on."""
    unwatched: bool = False
    """It has lived through a time whose events nobody saw; that none came proves nothing."""
    hearsay: bool = False
    """Another worker has sent it, and Asterisk has not shown it to this one: how it ended may have gone unheard."""
    channel_seen: bool = False
    arrived: bool = False
    """Asterisk has made its channel, or never will: nothing of it is on its way there."""
    joined: str | None = None
    """The first queue that the call joined."""
    cause: int | None = None
    hung_up: float | None = None
    refused: float | None = None
    """When Originate was answered with Failure or Error."""
    reason: int | None = None
    detail: str | None = None
    left_queue: bool = False
    """The queue has let the caller go without an agent (QueueCallerAbandon): he gave up, or his time there was over."""
    shutdown: bool = False
    """Asterisk is going down, or was when this call ended."""
    legs: set[str] = field(default_factory=set)
    """Of a Local call: the Uniqueids of its other channels, by which it may live on."""
    unsent: bool = False
    """Its Originate never left us: its end says nothing of trunk and number."""
    outcome: Outcome | None = None
    ended: float | None = None

    @property
    def answered(self) -> bool:
        """Has a person (or a machine) taken the call?"""
        return Step.ANSWERED in self.steps

    @property
    def serves_agents(self) -> bool:
        """Is the answered call meant for an agent?"""
        return self.type != "autoinforming"

    @property
    def wants_agent(self) -> bool:
        """Will this call need an agent who is still free? Not once one talks or is being rung for it, nor when it
        is ending."""
        ending = self.hung_up is not None or self.refused is not None or self.without_agent
        return self.serves_agents and self.outcome is None and self.agent is None and not self.offered and not ending

    @property
    def under_amd(self) -> bool:
        """Has it been answered, and nobody knows yet by whom?"""
        listening = self.amd and self.amd_verdict is None and Step.WAITING not in self.steps
        return self.answered and listening and self.agent is None and self.hung_up is None and self.outcome is None

    @property
    def person_at(self) -> float | None:
        """When a person was on the line: at the answer, or at AMD's verdict where AMD listened first."""
        if not self.amd:
            return self.steps.get(Step.ANSWERED)
        if self.amd_verdict in _PEOPLE:
            return self.steps.get(Step.AMD)
        return self.steps.get(Step.WAITING, self.steps.get(Step.AGENT))  # the verdict was missed

    @property
    def without_agent(self) -> bool:
        """Is it certain that no agent will come? The queue has let it go, a machine has it, or its subscriber left
        while AMD listened."""
        return self.left_queue or self.amd_verdict in (AmdVerdict.MACHINE, AmdVerdict.HANGUP)

    @property
    def state(self) -> State:
        """Where it is."""
        if self.outcome is not None:
            return State.ENDED
        return reached(self.steps)


class Tracker:
    """All calls of one Asterisk that have no outcome yet."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._by_channel: dict[str, Call] = {}
        self._by_action: dict[str, Call] = {}
        self._by_leg: dict[str, Call] = {}
        self._waiting: set[Call] = set()
        self.changed: set[Call] = set()
        """Calls with steps that the ledger has not been told."""
        self.over: list[Call] = []
        """Calls with an outcome that the ledger has not been told."""
        self.wrong_queue: dict[str, str] = {}
        """Projects whose call joined another queue first, with the sentence that says so."""
        self.timed = False
        """Has a call begun to wait for a time since the last tick()?"""
        self._handlers: dict[str, Callable[[Event], Call | None]] = {
            "Newchannel": self._newchannel,
            "Newstate": self._newstate,
            "DialState": self._dial_state,
            "DialEnd": self._dial_end,
            "Hangup": self._hangup,
            "OriginateResponse": self._originate_response,
            "QueueCallerJoin": self._queue_join,
            "QueueCallerAbandon": self._queue_abandon,
            "AgentCalled": self._agent_called,
            "AgentRingNoAnswer": self._agent_ring_no_answer,
            "AgentConnect": self._agent_connect,
            "AgentComplete": self._agent_complete,
            "UserEvent": self._user_event,
        }

    # --- what the dialer does ----------------------------------------------------------------------------

    def calls(self) -> Iterable[Call]:
        """The calls under way."""
        return self._by_channel.values()

    def __len__(self) -> int:
        return len(self._by_channel)

    def knows(self, channel_id: str) -> bool:
        """Is this attempt under way here?"""
        return channel_id in self._by_channel

    def begin(self, begun: Begun) -> Call:
        """Track an attempt from just before its Originate is sent."""
        now = self._monotonic()
        call = Call(
            attempt_id=begun.attempt_id,
            case_id=begun.case_id,
            project_id=begun.project_id,
            phone_number=begun.phone_number,
            type=begun.type,
            queue=begun.queue,
            trunk=begun.trunk,
            channel=begun.channel,
            channel_id=begun.channel_id,
            action_id=begun.action_id,
            dial_seconds=begun.dial_seconds,
            abandon_seconds=begun.abandon_seconds,
            begun=now,
            amd=begun.amd,
            local=begun.channel.startswith(_LOCAL),
        )
        self._add(call)
        return call

    def adopt(self, attempt: OpenAttempt) -> Call:
        """Track an attempt that another worker, or this one before it lost its memory, has begun."""
        now = self._monotonic()
        call = Call(
            attempt_id=attempt.attempt_id,
            case_id=attempt.case_id,
            project_id=attempt.project_id,
            phone_number=attempt.phone_number,
            type=attempt.type,
            queue=attempt.queue,
            trunk=attempt.trunk,
            channel="",
            channel_id=attempt.channel_id,
            action_id=attempt.action_id,
            dial_seconds=attempt.dial_seconds,
            abandon_seconds=attempt.abandon_seconds,
            begun=now - attempt.begun_ago,
            # Whether AMD listens to it still the ledger does not say.
            amd=attempt.amd_verdict is not None,
            amd_verdict=attempt.amd_verdict,
            steps={step: now - ago for step, ago in attempt.steps_ago.items()},
            # The ledger knows an instant without a name of a call that was found talking.
            agent=attempt.agent or ("" if Step.AGENT in attempt.steps_ago else None),
            unwatched=True,
            hearsay=True,
            channel_seen=any(step is not Step.DIALING for step in attempt.steps_ago),
            arrived=attempt.signed_off,
        )
        self._add(call)
        return call

    def _add(self, call: Call) -> None:
        self._by_channel[call.channel_id] = call
        self._by_action[call.action_id] = call

    def sent(self, call: Call) -> None:
        """Originate is on its way."""
        self._reach(call, Step.DIALING)

    def unsent(self, call: Call, why: str, outcome: Outcome = Outcome.CANCELLED) -> None:
        """Originate was not sent and never will be."""
        call.detail = why
        call.unsent = True
        self._end(call, outcome)

    def replied(self, call: Call, error: str | None) -> None:
        """Asterisk's answer to Originate: None for "queued", else its message."""
        if call.outcome is not None or error is None:
            return
        call.detail = error
        # Shutting down is not the project's fault, and no channel was made.
        self._end(call, Outcome.TECHNICAL if "shutting down" in error else Outcome.FAILED)

    # --- what Asterisk says ------------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Take an event in; those of other people's calls change nothing."""
        handler = self._handlers.get(event.name)
        if handler is not None:
            call = handler(event)
            if call is not None:
                self._look(call)

    def _ours(self, event: Event, key: str = "Uniqueid") -> Call | None:
        return self._by_channel.get(event.get(key))

    def _newchannel(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None:
            self._channel(call, event)
            return call
        call = self._ours(event, "Linkedid")
        if call is not None and call.local:
            self._add_leg(call, event.get("Uniqueid"))
        return call

    def _channel(self, call: Call, event: Event) -> None:
        """The call's own channel exists."""
        call.channel_seen = True
        call.hearsay = False
        call.local = call.local or event.get("Channel").startswith(_LOCAL)

    def _add_leg(self, call: Call, uniqueid: str) -> None:
        call.legs.add(uniqueid)
        self._by_leg[uniqueid] = call

    def _newstate(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None:
            self._channel(call, event)
            state = event.get("ChannelState")
            if state == _UP:
                self._reach(call, Step.ANSWERED)
            elif state == _RINGING:
                self._reach(call, Step.RINGING)
        return call

    def _dial_state(self, event: Event) -> Call | None:
        call = self._ours(event, "DestUniqueid")
        # PROGRESS is a 183: the network plays its ringing itself, as many carriers do.
        if call is not None and event.get("DialStatus") in ("RINGING", "PROGRESS"):
            self._reach(call, Step.RINGING)
        return call

    def _dial_end(self, event: Event) -> Call | None:
        call = self._ours(event, "DestUniqueid")
        if call is not None:
            call.channel_seen = True
            if event.get("DialStatus") == "ANSWER":
                self._reach(call, Step.ANSWERED)
        return call

    def _queue_join(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is None:
            return None
        self._reach(call, Step.ANSWERED)
        self._reach(call, Step.WAITING)
        queue = event.get("Queue")
        # Only the first queue is the context's doing, a later one is an agent's; and what is the first queue of a
        # call that was out of sight nobody knows.
        if call.joined is None:
            call.joined = queue
            if queue != call.queue and call.serves_agents and not call.unwatched:
                self.wrong_queue[call.project_id] = (
                    f"its call joined queue {queue!r}, not {call.queue!r}: let the context use"
                    " Queue(${DIALER_QUEUE}), or write the queue into dialer_params.queue"
                )
        return call

    def _queue_abandon(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None:
            call.left_queue = True
        return call

    def _agent_called(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None:
            call.offered.add(event.get("Interface"))
        return call

    def _agent_ring_no_answer(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None:
            call.offered.discard(event.get("Interface"))
        return call

    def _agent_connect(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is not None and not call.agent:
            call.agent = event.get("Interface")
            self._reach(call, Step.ANSWERED)
            self._reach(call, Step.AGENT)
            self.changed.add(call)  # the step may be old, the name is new
        return call

    def _agent_complete(self, event: Event) -> Call | None:
        """The end of a talk says what its beginning did, to who has missed that."""
        call = self._ours(event)
        if call is not None and not call.agent:
            call.agent = event.get("Interface")
            talk = _number(event.get("TalkTime")) or 0
            self._reach(call, Step.ANSWERED, talk + (_number(event.get("HoldTime")) or 0))
            self._reach(call, Step.AGENT, talk)
            self.changed.add(call)
        return call

    def _user_event(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is None:
            return None
        kind, verdict = event.get("UserEvent"), event.get("Status")
        if kind == "DialerPlayed":
            self._reach(call, Step.ANSWERED)
            self._reach(call, Step.PLAYED)
        elif kind == "DialerAmd" and verdict in _VERDICTS and call.amd_verdict is None:
            call.amd_verdict = AmdVerdict(verdict)
            self._reach(call, Step.ANSWERED)
            self._reach(call, Step.AMD)
        return call

    def _originate_response(self, event: Event) -> Call | None:
        # By ActionID: a second Originate with a ChannelId in use would carry the living call's Uniqueid.
        call = self._by_action.get(event.get("ActionID"))
        if call is None:
            return None
        if event.get("Response") == "Success":
            self._reach(call, Step.ANSWERED)
        elif call.refused is None:
            call.refused = self._monotonic()
            call.reason = _number(event.get("Reason"))
        return call

    def _hangup(self, event: Event) -> Call | None:
        uniqueid = event.get("Uniqueid")
        call = self._by_channel.get(uniqueid)
        if call is not None:
            self._channel(call, event)
            if call.hung_up is None:
                call.hung_up = self._monotonic()
                call.cause = _number(event.get("Cause"))
                if event.get("ChannelState") == _UP:
                    self._reach(call, Step.ANSWERED)  # else nobody has seen it
            return call
        call = self._by_leg.pop(uniqueid, None)
        if call is not None:
            call.legs.discard(uniqueid)
            if call.hung_up is not None:
                call.hung_up = self._monotonic()  # the call has gone on until now
        return call

    # --- when a call is over -----------------------------------------------------------------------------

    def tick(self) -> float | None:
        """Settle calls whose missing event did not come; seconds until the next of them, None without any."""
        self.timed = False
        waits = [wait for call in list(self._waiting) if (wait := self._look(call)) is not None]
        self.timed = False
        return min(waits, default=None)

    def _look(self, call: Call) -> float | None:
        """End the call if its end is known; else seconds until the next look, None when an event decides."""
        due = self._due(call)
        if due is None:
            return None
        now = self._monotonic()
        if now >= due:
            self._end(call, self._verdict(call))
            return None
        self._waiting.add(call)
        self.timed = True
        return due - now

    def _due(self, call: Call) -> float | None:
        """When the facts that are known are enough for an outcome: an instant, None while they never are."""
        if call.outcome is not None:
            return None
        if call.hung_up is not None and call.legs:
            return None  # a Local channel was optimised away, the call goes on without it
        if call.answered:
            if call.hung_up is None:
                return None
            # Hangup may have overtaken AgentConnect or QueueCallerAbandon.
            conclusive = not call.serves_agents or call.agent is not None or call.without_agent
            return call.hung_up if conclusive else call.hung_up + LATE_SECONDS
        first = min((at for at in (call.hung_up, call.refused) if at is not None), default=None)
        if first is None:
            return None
        if call.channel_seen and not call.shutdown and self._looks_like_shutdown(call):
            return first + SHUTDOWN_SECONDS
        if call.hung_up is None or call.refused is None:
            # Without a channel too: OriginateResponse may have overtaken Newchannel.
            return first + LATE_SECONDS
        return first

    @staticmethod
    def _looks_like_shutdown(call: Call) -> bool:
        """Asterisk going down ends its calls with cause 0 and Reason 0, then says Shutdown."""
        return not call.cause and not call.reason

    def _verdict(self, call: Call) -> Outcome:
        """The outcome, from the facts that are known."""
        if call.answered:
            if call.agent is not None:
                return Outcome.ANSWERED
            if call.amd_verdict is AmdVerdict.MACHINE:
                return Outcome.MACHINE
            if not call.serves_agents:
                return Outcome.ANSWERED
            return Outcome.EARLY_HANGUP if self._left_early(call) else Outcome.ABANDONED
        if not call.channel_seen:
            if not call.unwatched:
                return Outcome.FAILED
            if call.reason not in _OUTCOME_OF_REASON:
                # Its channel may have come and gone while nobody looked.
                call.detail = call.detail or "Originate failed, and why was not seen"
                return Outcome.LOST
        if call.shutdown and self._looks_like_shutdown(call):
            return Outcome.TECHNICAL
        return classify(call.cause, call.reason)

    @staticmethod
    def _left_early(call: Call) -> bool:
        """Did the subscriber hang up before he had waited for as long as the law grants?

        He waits from the end of his greeting, which is AMD's verdict where there is one (16 CFR 310.4(b)(4)), else
        from the answer. Who was let go by the queue and heard the message to its end was hung up on.
        """
        hung_up_himself = call.left_queue or call.amd_verdict is AmdVerdict.HANGUP
        if not hung_up_himself or call.hung_up is None or Step.PLAYED in call.steps:
            return False
        greeted = call.steps[Step.ANSWERED]
        if call.amd_verdict in _PEOPLE:
            greeted = call.steps.get(Step.AMD, greeted)
        return call.hung_up - greeted < call.abandon_seconds

    def _end(self, call: Call, outcome: Outcome) -> None:
        call.outcome = outcome
        ends = (call.hung_up, None if call.answered else call.refused, self._monotonic())
        call.ended = max(next(at for at in ends if at is not None), *call.steps.values(), call.begun)
        self._waiting.discard(call)
        self.changed.discard(call)
        del self._by_channel[call.channel_id]
        del self._by_action[call.action_id]
        for leg in call.legs:
            self._by_leg.pop(leg, None)
        self.over.append(call)

    def _reach(self, call: Call, step: Step, ago: float = 0.0) -> None:
        if step in call.steps:
            return
        place = _STEPS.index(step)
        # A step that is told late cannot have come after those that follow it, nor after the end …
        later = [call.steps[other] for other in _STEPS[place + 1 :] if other in call.steps]
        if call.hung_up is not None and not call.legs:
            later.append(call.hung_up)
        at = min([self._monotonic() - ago, *later])
        # … and what Asterisk counts in whole seconds not before those that it follows.
        earlier = [call.steps[other] for other in _STEPS[:place] if other in call.steps]
        call.steps[step] = max([at, call.begun, *earlier]) if ago else at
        call.channel_seen = call.channel_seen or step is not Step.DIALING
        self.changed.add(call)

    # --- when events were missed -------------------------------------------------------------------------

    def shutdown(self, *, confirmed: bool) -> None:
        """Asterisk goes down. confirmed: it said so itself, calls that end from now on end for that; else
        the link broke, which explains only what has ended just before."""
        for call in list(self._by_channel.values()):
            call.unwatched = call.unwatched or not confirmed
            if confirmed or call.hung_up is not None or call.refused is not None:
                call.shutdown = True
                self._look(call)

    def carry_on(self) -> None:
        """The shutdown was called off: endings from now on are ordinary ones again."""
        for call in self._by_channel.values():
            if call.hung_up is None and call.refused is None:
                call.shutdown = False

    def suspects(self) -> set[Call]:
        """Calls that Asterisk must list if they are still up; to be taken before the list is asked for."""
        return {call for call in self._by_channel.values() if call.channel_seen or call.arrived or self.overdue(call)}

    def reconcile(self, suspects: set[Call], channels: Mapping[str, Event], *, gone: Outcome) -> None:
        """Compare with the channels that Asterisk lists, by Uniqueid, once all events up to the list are in.

        gone: what became of an unanswered suspect that is not listed: LOST, or TECHNICAL if Asterisk went down
        meanwhile; LOST in any case if it may have been over before that. Calls that are no suspects may still be
        on their way to Asterisk and are left alone.
        """
        legs: dict[str, set[str]] = {}
        for uniqueid, channel in channels.items():
            if uniqueid != (linkedid := channel.get("Linkedid")):
                legs.setdefault(linkedid, set()).add(uniqueid)
        for call in list(self._by_channel.values()):
            listed = channels.get(call.channel_id)
            if listed is not None:
                self._channel(call, listed)
                self._catch_up(call, listed)
            elif call not in suspects:
                continue
            elif call.answered and call.channel_id in legs:
                call.local = True  # nothing else is optimised away
                if call.hung_up is None:
                    call.hung_up = self._monotonic()
            else:
                self._vanished(call, gone)
                continue
            if call.local:
                self._set_legs(call, legs.get(call.channel_id, set()))

    def _set_legs(self, call: Call, legs: set[str]) -> None:
        for leg in call.legs - legs:
            self._by_leg.pop(leg, None)
        call.legs.clear()
        for leg in legs:
            self._add_leg(call, leg)
        self._look(call)

    def _catch_up(self, call: Call, channel: Event) -> None:
        state = channel.get("ChannelStateDesc")
        if state == "Up":
            self._reach(call, Step.ANSWERED)
            if channel.get("BridgeId") and call.serves_agents and call.agent is None:
                # Talking, and the AgentConnect was missed; with whom nobody says.
                call.agent = ""
                self._reach(call, Step.AGENT)
        elif state == "Ringing":
            self._reach(call, Step.RINGING)

    def _vanished(self, call: Call, gone: Outcome) -> None:
        if call.hung_up is not None or (call.refused is not None and not call.answered):
            # Its end was seen, only not all of it: what is known says more than that it is gone.
            self._set_legs(call, set())
            return
        call.detail = call.detail or "its end was missed; Asterisk lists it no more"
        if call.answered:
            gone = self._verdict(call)
        elif call.hearsay:
            gone = Outcome.LOST
        self._end(call, gone)

    def overdue(self, call: Call) -> bool:
        """Has an unanswered call been silent for longer than it may ring?"""
        silent = call.dial_seconds + OVERDUE_SECONDS
        if not (call.channel_seen or call.arrived):
            silent = max(silent, UNSEEN_SECONDS)
        return not call.answered and self._monotonic() > call.begun + silent

    def overdue_calls(self) -> bool:
        """Is there a call that only a look at Asterisk's channels can settle?"""
        return any(self.overdue(call) for call in self._by_channel.values())


def classify(cause: int | None, reason: int | None) -> Outcome:
    """The outcome of a call that nobody answered, from its Hangup cause and the Reason of OriginateResponse.

    For PJSIP only the cause can be trusted, plus Reason 3 for the time-out; the table "Reason 5 is busy, 8 is
    congestion" holds for Local channels only, whose own cause is 0.
    """
    if cause in _OUTCOME_OF_CAUSE:
        return _OUTCOME_OF_CAUSE[cause]
    if reason in _OUTCOME_OF_REASON and (not cause or reason == _TIMED_OUT):
        return _OUTCOME_OF_REASON[reason]
    return Outcome.UNAVAILABLE


def _number(text: str) -> int | None:
    """Asterisk writes small decimal numbers; anything else is none. (int() would raise for '²' and 5,000 digits.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
