"""Opt-outs that the dialplan has kept in Asterisk's own database (AstDB), and nobody may have heard of.

The dialplan writes an opt-out there before it sends the event, under the call's Uniqueid, whose 128 random bits no
other dialer and no other call can have. So it survives a lost link, a killed worker, and a restart of Asterisk. Reading
it (DBGet) needs the right `reporting`. Deleting it by DBDel would need `system`, which is as good as root; the function
DB_DELETE, which Asterisk documents for this use, can be written with the right `call`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import partial

from gevent.event import Event

from worker.ami.client import AmiClient
from worker.ami.errors import AmiLinkLost, AmiRefused
from worker.ami.message import Message
from worker.backoff import Outage
from worker.calls.call import Call

log = logging.getLogger(__name__)

FAMILY = "dialer-optout"
LOOK_SECONDS = 10.0
"""For all calls together; the questions are sent at once."""
_KEY = re.compile(r"[A-Za-z0-9._-]+")
"""What needs no quoting as the argument of a dialplan function."""


class KeptOptOuts:
    """What one Asterisk has kept."""

    def __init__(self, client: AmiClient) -> None:
        self._client = client
        self._taken: dict[str, bool] = {}
        """Channels whose opt-outs are written in our database, and to be deleted in Asterisk's; True: it was asked to,
        and has not answered yet."""
        self._unreadable = Outage(
            log,
            "opt_outs_unreadable",
            "Asterisk does not let opt-outs be read that came while there was no link (DBGet)",
            "opt-outs can be read again",
        )

    def find(self, calls: Iterable[Call]) -> list[tuple[Call, str]]:
        """Those of the calls whose subscribers have opted out, with the keys pressed. Raises DialerError if that cannot
        be known now."""
        asked = [call for call in calls if call.opted_out is None]
        answers: dict[Call, Message | None] = {}
        done = Event()

        def answered(call: Call, reply: Message | None) -> None:
            answers[call] = reply
            if len(answers) == len(asked):
                done.set()

        for call in asked:
            self._client.send(_get(call), partial(answered, call), deadline=LOOK_SECONDS)
        if asked:
            done.wait(LOOK_SECONDS + 1)
        return [(call, self._key_of(call)) for call in asked if self._is_there(answers.get(call))]

    def _is_there(self, reply: Message | None) -> bool:
        if reply is None:
            raise AmiLinkLost("Asterisk did not say whether subscribers have opted out")
        if reply.get("Response") != "Error":
            self._unreadable.worked()
            return True
        text = reply.get("Message")
        if "not found" in text:
            self._unreadable.worked()
        elif "shutting down" in text:
            raise AmiRefused("DBGet", reply)
        else:
            self._unreadable.failed(text)
        return False

    def _key_of(self, call: Call) -> str:
        for item in self._client.ask_list(_get(call)):
            return item.get("Val")
        return ""

    def written(self, call: Call) -> None:
        """Its opt-out is in our database: Asterisk need not keep it."""
        if _KEY.fullmatch(call.channel_id):
            self._taken[call.channel_id] = False
            self.clear()

    def clear(self) -> None:
        """Delete what has been taken over, as far as there is a link; what stays for ever does no harm."""
        for channel_id in [one for one, asked in self._taken.items() if not asked]:
            delete = [("Action", "Setvar"), ("Variable", f"DB_DELETE({FAMILY}/{channel_id})"), ("Value", "taken")]
            try:
                self._client.send(delete, partial(self._deleted, channel_id))
            except AmiLinkLost:
                return
            self._taken[channel_id] = True

    def _deleted(self, channel_id: str, reply: Message | None) -> None:
        if reply is not None:
            self._taken.pop(channel_id, None)
        elif channel_id in self._taken:
            self._taken[channel_id] = False  # the link broke: nobody knows


def _get(call: Call) -> list[tuple[str, str]]:
    return [("Action", "DBGet"), ("Family", FAMILY), ("Key", call.channel_id)]
