"""What goes wrong between us and Asterisk's manager. An action that is not sent at all: `actions.UnsafeAction`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.errors import DialerError

if TYPE_CHECKING:
    from worker.ami.message import Message


class AmiRefused(DialerError):  # noqa: N818 - reads as what it is where it is caught
    """Asterisk answered an action with `Response: Error`."""

    def __init__(self, action: str, reply: Message) -> None:
        self.reply = reply
        self.text = reply.get("Message") or "no reason given"
        super().__init__(f"Asterisk refused the action {action}: {self.text}")


class AmiLoginRefused(DialerError):  # noqa: N818
    """The credentials or the user's rights are wrong; trying again soon does not help."""


class AmiTimeout(DialerError):  # noqa: N818
    """Asterisk did not answer an action in time; whether it was carried out is unknown."""


class AmiLinkLost(DialerError):  # noqa: N818
    """There is no link to Asterisk, or it broke before the answer; then the outcome is unknown."""


class AmiListError(DialerError):
    """A list from Asterisk was cut short or is beyond belief; ask again."""
