"""What Asterisk says of our calls, turned into the steps and the outcome of each attempt.

The promise: after Originate exactly one outcome is recorded, whatever dies. AMI events come late, twice or in
another order (OriginateResponse is sent by a thread of its own), so nothing here depends on their order: each
event sets a fact (`call`), and after each one the call is asked whether it is over (`verdict`). An event belongs to a
call only if it names the 128-bit Uniqueid or ActionID that was drawn for it; a caller who forges events cannot know
them.

No I/O: events, replies and the time come in; what is found out goes to a Listener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from worker.ami.message import Event
from worker.calls.call import LOCAL, Call
from worker.calls.verdict import due, verdict
from worker.model import AmdVerdict, Begun, OpenAttempt, Outcome, Step

OVERDUE_SECONDS = 5.0
"""How long after its ring time-out a call may be silent before we ask Asterisk whether it exists."""
UNSEEN_SECONDS = 20.0
"""The same, counted from its begin, if Asterisk never showed that it has the Originate: a link that was silent, or an
Asterisk that was frozen, may still hold it, though the worker that sent it is gone."""
_UP = "6"
_RINGING = "5"
_VERDICTS = frozenset(AmdVerdict)


class Listener(Protocol):
    """Is told at once what a tracker finds out."""

    def stepped(self, call: Call) -> None:
        """A call has a step, or an agent's name, that the ledger does not know."""

    def ended(self, call: Call) -> None:
        """A call has its outcome."""

    def opted_out(self, call: Call) -> None:
        """The subscriber asked not to be called again."""

    def astray(self, project_id: str, why: str) -> None:
        """A call did not join its project's queue but another one first, as the sentence says."""

    def waits(self) -> None:
        """A call now waits some time for a fact, so tick() is due sooner than it said."""


class Tracker:
    """All calls of one Asterisk that have no outcome yet."""

    def __init__(self, monotonic: Callable[[], float], listener: Listener) -> None:
        self._monotonic = monotonic
        self._listener = listener
        self._by_channel: dict[str, Call] = {}
        self._by_action: dict[str, Call] = {}
        self._by_leg: dict[str, Call] = {}
        self._waiting: set[Call] = set()
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
        return self._add(Call.begun_as(begun, self._monotonic()))

    def adopt(self, attempt: OpenAttempt) -> Call:
        """Track an attempt that another worker, or this one before it lost its memory, has begun."""
        return self._add(Call.adopted(attempt, self._monotonic()))

    def _add(self, call: Call) -> Call:
        self._by_channel[call.channel_id] = call
        self._by_action[call.action_id] = call
        return call

    def sent(self, call: Call) -> None:
        """Originate is on its way."""
        self._reach(call, Step.DIALING)

    def unsent(self, call: Call, why: str, outcome: Outcome = Outcome.CANCELLED) -> None:
        """Originate was not sent and never will be."""
        call.detail = why
        call.unsent = True
        self._end(call, outcome)

    def replied(self, call: Call, error: str | None) -> None:
        """Asterisk's answer to Originate: None for "queued", otherwise its message."""
        if call.outcome is not None or error is None:
            return
        call.detail = error
        # Shutting down is not the project's fault, and no channel was made.
        self._end(call, Outcome.TECHNICAL if "shutting down" in error else Outcome.FAILED)

    # --- what Asterisk says ------------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Take an event in; events of calls that are not ours change nothing."""
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
        call.local = call.local or event.get("Channel").startswith(LOCAL)

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
        # Only the first queue is the context's doing; a later one is an agent's. If a call was out of sight, nobody
        # knows which queue was its first.
        if call.joined is None:
            call.joined = queue
            if queue != call.queue and call.serves_agents and not call.unwatched:
                self._listener.astray(
                    call.project_id,
                    f"its call joined queue {queue!r}, not {call.queue!r}: let the context use"
                    " Queue(${DIALER_QUEUE}), or write the queue into dialer_params.queue",
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
            self._listener.stepped(call)  # the step may be old, the name is new
        return call

    def _agent_complete(self, event: Event) -> Call | None:
        """The end of a talk also tells what its beginning told, in case that was missed."""
        call = self._ours(event)
        if call is not None and not call.agent:
            call.agent = event.get("Interface")
            talk = _number(event.get("TalkTime")) or 0
            self._reach(call, Step.ANSWERED, talk + (_number(event.get("HoldTime")) or 0))
            self._reach(call, Step.AGENT, talk)
            self._listener.stepped(call)
        return call

    def _user_event(self, event: Event) -> Call | None:
        call = self._ours(event)
        if call is None:
            return None
        kind, status = event.get("UserEvent"), event.get("Status")
        if kind == "DialerPlayed":
            self._reach(call, Step.ANSWERED)
            self._reach(call, Step.PLAYED)
        elif kind == "DialerAmd" and status in _VERDICTS and call.amd_verdict is None:
            call.amd_verdict = AmdVerdict(status)
            self._reach(call, Step.ANSWERED)
            self._reach(call, Step.AMD)
        elif kind == "DialerKey":
            self._reach(call, Step.ANSWERED)
            self._press(call, event.get("Key"))
        elif kind == "DialerOptOut":
            self.opt_out(call, event.get("Key"))
        return call

    def opt_out(self, call: Call, key: str) -> None:
        """The subscriber asked not to be called again, with this key ('': unknown). Once for a call: again changes
        nothing."""
        if call.opted_out is not None or call.outcome is not None:
            return
        call.opted_out = self._monotonic()
        self._reach(call, Step.ANSWERED)
        if self._press(call, key):
            call.opt_out_key = key
        self._listener.opted_out(call)

    def _press(self, call: Call, key: str) -> bool:
        pressed = call.press(key)
        if pressed:
            self._listener.stepped(call)
        return pressed

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
        """Settle calls whose missing event did not come in time; seconds until the next of them, None: there is
        none."""
        return min((wait for call in list(self._waiting) if (wait := self._settle(call)) is not None), default=None)

    def _look(self, call: Call) -> None:
        """After a new fact: end the call if its end is known by now."""
        if self._settle(call) is not None:
            self._listener.waits()

    def _settle(self, call: Call) -> float | None:
        """End the call if its end is known; else seconds until the next look, None when an event decides."""
        instant = due(call)
        if instant is None:
            return None
        now = self._monotonic()
        if now >= instant:
            self._judge(call)
            return None
        self._waiting.add(call)
        return instant - now

    def _judge(self, call: Call) -> None:
        found = verdict(call)
        call.detail = call.detail or found.detail
        self._end(call, found.outcome)

    def _reach(self, call: Call, step: Step, ago: float = 0.0) -> None:
        if call.reach(step, self._monotonic(), ago):
            self._listener.stepped(call)

    def _end(self, call: Call, outcome: Outcome) -> None:
        call.end(outcome, self._monotonic())
        self._waiting.discard(call)
        del self._by_channel[call.channel_id]
        del self._by_action[call.action_id]
        for leg in call.legs:
            self._by_leg.pop(leg, None)
        self._listener.ended(call)

    # --- when events were missed -------------------------------------------------------------------------

    def shutdown(self, *, confirmed: bool) -> None:
        """Asterisk goes down. confirmed: it said so itself, and calls that end from now on end because of that;
        otherwise the link broke, which explains only calls that ended just before."""
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
        """Calls that Asterisk must list if they are still up; take them before asking for the list."""
        return {call for call in self._by_channel.values() if call.channel_seen or call.arrived or self.overdue(call)}

    def reconcile(self, suspects: set[Call], channels: Mapping[str, Event], *, gone: Outcome) -> None:
        """Compare the calls with the channels that Asterisk lists, by Uniqueid, once all events up to the list are in.

        gone: the outcome of an unanswered suspect that is not listed: LOST, or TECHNICAL if Asterisk went down
        meanwhile; it is LOST in any case if it may have been over before that. Calls that are not suspects may still be
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
                call.local = True  # only Local channels are optimised away
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
                # It is talking, and the AgentConnect was missed: nobody says which agent it is.
                call.agent = ""
                self._reach(call, Step.AGENT)
        elif state == "Ringing":
            self._reach(call, Step.RINGING)

    def _vanished(self, call: Call, gone: Outcome) -> None:
        if call.hung_up is not None or (call.refused is not None and not call.answered):
            # Part of its end was seen, which says more than that it is gone.
            self._set_legs(call, set())
            return
        call.detail = call.detail or "its end was missed; Asterisk lists it no more"
        if call.answered:
            self._judge(call)
        else:
            self._end(call, Outcome.LOST if call.hearsay else gone)

    def overdue(self, call: Call) -> bool:
        """Has an unanswered call been silent for longer than it is allowed to ring?"""
        silent = call.dial_seconds + OVERDUE_SECONDS
        if not (call.channel_seen or call.arrived):
            silent = max(silent, UNSEEN_SECONDS)
        return not call.answered and self._monotonic() > call.begun + silent

    def overdue_calls(self) -> bool:
        """Is there a call that only a look at Asterisk's channels can settle?"""
        return any(self.overdue(call) for call in self._by_channel.values())


def _number(text: str) -> int | None:
    """Is it a small decimal number, as Asterisk writes them? (int() would raise for '²' and for 5,000 digits.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
