"""When a call is over and how it ended, judged from the facts known about it. No I/O.

Conclusive facts end a call at once; if another fact may still be on its way, the call waits for it.
"""

from __future__ import annotations

from typing import NamedTuple

from worker.calls.call import PEOPLE, Call
from worker.model import AmdVerdict, Outcome, Step

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
"""How long after the first fact of an ending the others may take: OriginateResponse, Hangup, AgentConnect, …"""
SHUTDOWN_SECONDS = 4.0
"""How long an ending that looks like a shutdown waits for the shutdown to show."""


class Verdict(NamedTuple):
    """An outcome, and what else an operator should know about it."""

    outcome: Outcome
    detail: str | None = None


def due(call: Call) -> float | None:
    """The instant at which the known facts suffice for an outcome; None: they do not, however long one waits."""
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
    if call.channel_seen and not call.shutdown and _looks_like_shutdown(call):
        return first + SHUTDOWN_SECONDS
    if call.hung_up is None or call.refused is None:
        # Without a channel too: OriginateResponse may have overtaken Newchannel.
        return first + LATE_SECONDS
    return first


def verdict(call: Call) -> Verdict:
    """The outcome, from the facts that are known."""
    if call.answered:
        if call.agent is not None:
            return Verdict(Outcome.ANSWERED)
        if call.amd_verdict is AmdVerdict.MACHINE:
            return Verdict(Outcome.MACHINE)
        if not call.serves_agents:
            return Verdict(Outcome.ANSWERED)
        return Verdict(Outcome.EARLY_HANGUP if _left_early(call) else Outcome.ABANDONED)
    if not call.channel_seen:
        if not call.unwatched:
            return Verdict(Outcome.FAILED)
        if call.reason not in _OUTCOME_OF_REASON:
            # Its channel may have come and gone unseen.
            return Verdict(Outcome.LOST, "Originate failed, and why was not seen")
    if call.shutdown and _looks_like_shutdown(call):
        return Verdict(Outcome.TECHNICAL)
    return Verdict(classify(call.cause, call.reason))


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


def _looks_like_shutdown(call: Call) -> bool:
    """Asterisk going down ends its calls with cause 0 and Reason 0, then says Shutdown."""
    return not call.cause and not call.reason


def _left_early(call: Call) -> bool:
    """Did the subscriber hang up before the wait was as long as the law allows?

    The wait begins at the end of the greeting, which is AMD's verdict where there is one (16 CFR 310.4(b)(4)),
    otherwise at the answer. A subscriber whom the queue let go, and who heard the message to its end, did not hang up:
    we did.
    """
    hung_up_himself = call.left_queue or call.amd_verdict is AmdVerdict.HANGUP
    if not hung_up_himself or call.hung_up is None or Step.PLAYED in call.steps:
        return False
    greeted = call.steps[Step.ANSWERED]
    if call.amd_verdict in PEOPLE:
        greeted = call.steps.get(Step.AMD, greeted)
    return call.hung_up - greeted < call.abandon_seconds
