"""The actions under way on one connection: which one a reply, or a list's item, is for. Pure: no socket, no clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from worker.ami.actions import UnsafeAction
from worker.ami.counters import Counters
from worker.ami.errors import AmiListError, AmiTimeout
from worker.ami.message import Framer, Message
from worker.errors import DialerError

LIST_ITEMS_MAX = 100_000
_LIST_ITEM = b"\r\nActionID: "

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pending:
    """An action under way. `settle` gets the reply or the error, once."""

    action: str
    due: float  # from this instant on `give_up` ends it
    settle: Callable[[Message | DialerError], None]
    items: list[Message] | None = None  # a list's items so far
    started: bool = False  # a list's reply is in, its items follow


class PendingActions:
    """All actions of one connection, by ActionID. While a list is among them, `framer` passes list items."""

    def __init__(self, framer: Framer, counters: Counters) -> None:
        self.lists = 0
        """How many of them are lists."""
        self._framer = framer
        self._counters = counters
        self._actions: dict[str, Pending] = {}

    def check_unused(self, action_id: str) -> None:
        """UnsafeAction if an action with this ActionID is under way."""
        if action_id in self._actions:
            raise UnsafeAction(f"ActionID {action_id} is under way already; use a fresh one for each action")

    def add(self, action_id: str, pending: Pending) -> None:
        """Add an action that is about to be sent."""
        self._actions[action_id] = pending
        if pending.items is not None:
            self.lists += 1
            self._framer.expect = _LIST_ITEM

    def remove(self, action_id: str) -> Pending | None:
        """Take an action out, so that whatever still comes for it is a stray; None: it was not under way."""
        pending = self._actions.pop(action_id, None)
        if pending is not None and pending.items is not None:
            self.lists -= 1
            if not self.lists:
                self._framer.expect = None
        return pending

    def take_reply(self, reply: Message) -> str | None:
        """Hand a reply to the action that it is for; the name of that action if Asterisk accepted it."""
        action_id = reply.get("ActionID")
        pending = self._actions.get(action_id)
        if pending is None:
            self._counters.strays += 1
            return None
        if pending.started:
            # A list is answered once; a caller can put a second "answer" into one of its items.
            self._framer.tampered += 1
            return None
        refused = reply.get("Response") == "Error"
        if pending.items is None or refused:
            self._settle(action_id, pending, reply)
        else:
            pending.started = True
        return None if refused else pending.action

    def take_item(self, event: Message) -> bool:
        """Is the event part of a list that somebody waits for? If so, it is taken."""
        action_id = event.get("ActionID")
        pending = self._actions.get(action_id)
        if pending is None or pending.items is None:
            return False
        progress = event.get("EventList")
        if progress == "Complete":
            self._settle(action_id, pending, event)
        elif progress == "Cancelled":
            error = AmiListError(f"Asterisk broke off the list of {pending.action}; ask again")
            self._settle(action_id, pending, error)
        elif len(pending.items) >= LIST_ITEMS_MAX:
            error = AmiListError(
                f"the list of {pending.action} has more than {LIST_ITEMS_MAX} items; narrow the action"
            )
            self._settle(action_id, pending, error)
        else:
            pending.items.append(event)
        return True

    def give_up(self, now: float) -> None:
        """End the actions that were due before `now`; whether Asterisk has carried them out is unknown."""
        for action_id, pending in list(self._actions.items()):
            if pending.due < now and action_id in self._actions:
                self._counters.timeouts += 1
                self._settle(action_id, pending, AmiTimeout(f"Asterisk did not answer {pending.action} in time"))

    def fail(self, error: DialerError) -> None:
        """End all actions."""
        for action_id, pending in list(self._actions.items()):
            if action_id in self._actions:
                self._settle(action_id, pending, error)

    def _settle(self, action_id: str, pending: Pending, outcome: Message | DialerError) -> None:
        self.remove(action_id)
        try:
            pending.settle(outcome)
        except Exception:
            # One consumer's mistake must not cost all others the connection.
            log.exception("A reply's callback failed", extra={"action": "ami_callback", "ami_action": pending.action})
