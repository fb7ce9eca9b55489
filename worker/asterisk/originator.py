"""Sends the Originates of attempts that were begun. Whatever happens to one, its attempt gets one outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from worker.ami import actions
from worker.ami.client import AmiClient
from worker.ami.errors import AmiLinkLost
from worker.ami.message import Message
from worker.asterisk.agents import Agents
from worker.calls.call import Call
from worker.calls.tracker import Tracker
from worker.model import DEFAULT_EXTEN, Begun, Outcome

ACCOUNT = "dialer"
"""AccountCode of our calls, so that an eventfilter can keep other people's calls out."""
FRESH_SECONDS = 0.4
"""If an Originate has waited longer than this on its way to the socket, it is not sent: this worker was frozen, and
another may have the Asterisk by now. Less than the margin before the end of the shortest lease (keeper.MARGIN of 2
s)."""
NAME_BYTES = 400
"""A case's name goes to the dialplan cut to this length; AMI takes lines of at most 1022 bytes."""


class Originator:
    """Sends attempts to one Asterisk."""

    def __init__(
        self, client: AmiClient, tracker: Tracker, agents: Agents, refused: Callable[[Call, str], object]
    ) -> None:
        """`refused` is called with a call that Asterisk would not make, and Asterisk's words."""
        self._client = client
        self._tracker = tracker
        self._agents = agents
        self._refused = refused

    def originate(self, begun: Begun) -> bool:
        """Send an attempt that was begun. False: there is no link to send it on. Raises UnsafeAction if its project's
        settings make it impossible to send."""
        begun = replace(begun, queue=self._agents.queue_named(begun.queue) or begun.queue)
        call = self._tracker.begin(begun)
        try:
            self._client.send(
                _fields(begun),
                lambda reply: self._replied(call, reply),
                fresh_seconds=FRESH_SECONDS,
                on_stale=lambda: self._stale(call),
            )
        except AmiLinkLost as error:
            self._tracker.unsent(call, str(error))
            return False
        except actions.UnsafeAction as error:
            self._tracker.unsent(call, str(error), Outcome.FAILED)
            raise
        self._tracker.sent(call)
        return True

    def give_up(self, begun: Begun, why: str) -> None:
        """End an attempt that was begun and must no longer be sent."""
        self._tracker.unsent(self._tracker.begin(begun), why)

    def _stale(self, call: Call) -> None:
        if call.outcome is None:
            self._tracker.unsent(call, f"it could not be sent within {FRESH_SECONDS} s")

    def _replied(self, call: Call, reply: Message | None) -> None:
        if reply is None or reply.get("Response") != "Error":
            return
        text = reply.get("Message") or "no reason given"
        self._tracker.replied(call, text)
        self._refused(call, text)


def _fields(begun: Begun) -> list[tuple[str, str]]:
    return actions.originate(
        channel=begun.channel,
        context=begun.context,
        exten=begun.exten or DEFAULT_EXTEN,
        timeout_ms=round(begun.dial_seconds * 1000),
        channel_id=begun.channel_id,
        action_id=begun.action_id,
        caller_id=begun.caller_id or "",
        account=ACCOUNT,
        variables={
            "__DIALER_PROJECT": begun.project_id,
            "__DIALER_CASE": str(begun.case_id),
            "__DIALER_ATTEMPT": str(begun.attempt_id),
            "__DIALER_QUEUE": begun.queue,
            "__DIALER_NAME": _cut(begun.case_name, NAME_BYTES),
            "__DIALER_PATIENCE": "" if begun.patience is None else str(begun.patience),
            "__DIALER_AMD": "1" if begun.amd else "",
            "__DIALER_MACHINE": begun.machine_action,
            "__DIALER_KEY_REPEAT": begun.key_repeat or "",
            "__DIALER_KEY_AGENT": begun.key_agent or "",
            "__DIALER_KEY_OPT_OUT": begun.key_opt_out or "",
            "__DIALER_MESSAGE": begun.message or "",
        },
    )


def _cut(text: str, size: int) -> str:
    """`text` within `size` bytes of UTF-8."""
    return text.encode()[:size].decode("utf-8", "ignore")
