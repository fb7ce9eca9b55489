"""The text of AMI events and list items, field for field as Asterisk 16.28 prints them. Pure.

Source: bytes recorded from 16.28.0 (tests/fixtures/ami), and, for what was not recorded, main/manager.c,
main/manager_channels.c and apps/app_queue.c of that tag. A channel's block of fifteen lines is in nearly
every event, so it is rendered once for each change of the channel and kept.
"""

from __future__ import annotations

from collections.abc import Iterable

DOWN, RING, RINGING, UP = 0, 4, 5, 6
_STATE = {DOWN: "Down", RING: "Ring", RINGING: "Ringing", UP: "Up"}

UNKNOWN = "<unknown>"

#: Q.850 causes with the texts of main/channel.c.
CAUSE_TEXT = {
    0: "Unknown",
    1: "Unallocated (unassigned) number",
    16: "Normal Clearing",
    17: "User busy",
    18: "No user responding",
    19: "User alerting, no answer",
    20: "Subscriber absent",
    21: "SwitchCall Rejected",
    22: "Number changed",
    26: "Answered elsewhere",
    27: "Destination out of order",
    28: "Invalid number format",
    31: "Normal, unspecified",
    34: "Circuit/channel congestion",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    58: "Bearer capability not available",
    127: "Interworking, unspecified",
}

#: What DialEnd makes of the causes (main/dial.c): everything else is NOANSWER.
DIAL_STATUS = {17: "BUSY", 34: "CONGESTION"}


class Channel:
    """One channel as events describe it. Change it through `update`, which drops the rendered blocks."""

    __slots__ = (
        "_block", "_dest", "account", "born", "context", "exten", "linkedid", "name", "number", "person",
        "priority", "state", "uniqueid",
    )  # fmt: skip

    def __init__(self, name: str, uniqueid: str, linkedid: str, *, context: str, exten: str, born: float) -> None:
        self.name = name
        self.uniqueid = uniqueid
        self.linkedid = linkedid
        self.state = DOWN
        self.number = self.person = UNKNOWN
        self.account = ""
        self.context = context
        self.exten = exten
        self.priority = 1
        self.born = born
        self._block = self._dest = ""

    def update(self, **changes: object) -> None:
        """Set some of the attributes."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._block = self._dest = ""

    def block(self) -> str:
        """The lines of this channel in an event that is about it."""
        if not self._block:
            self._block = self._render("")
        return self._block

    def dest(self) -> str:
        """The lines of this channel in an event of the one that called it."""
        if not self._dest:
            self._dest = self._render("Dest")
        return self._dest

    def _render(self, p: str) -> str:
        return (
            f"{p}Channel: {self.name}\r\n{p}ChannelState: {self.state}\r\n"
            f"{p}ChannelStateDesc: {_STATE[self.state]}\r\n{p}CallerIDNum: {self.number}\r\n"
            f"{p}CallerIDName: {self.person}\r\n{p}ConnectedLineNum: {self.number}\r\n"
            f"{p}ConnectedLineName: {self.person}\r\n{p}Language: en\r\n{p}AccountCode: {self.account}\r\n"
            f"{p}Context: {self.context}\r\n{p}Exten: {self.exten}\r\n{p}Priority: {self.priority}\r\n"
            f"{p}Uniqueid: {self.uniqueid}\r\n{p}Linkedid: {self.linkedid}\r\n"
        )

    def list_item(self, action_id: str, application: str, data: str, bridge: str, now: float) -> str:
        """This channel in the answer to CoreShowChannels."""
        seconds = max(0, int(now - self.born))
        duration = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return (
            f"Event: CoreShowChannel\r\n{action_id}{self.block()}Application: {application}\r\n"
            f"ApplicationData: {data}\r\nDuration: {duration}\r\nBridgeId: {bridge}\r\n\r\n"
        )


def hangup(cause: int) -> str:
    """The tail of a Hangup event."""
    return f"Cause: {cause}\r\nCause-txt: {CAUSE_TEXT.get(cause, 'Unknown')}\r\n"


def message(lines: Iterable[tuple[str, object]]) -> str:
    """A message from its fields in order."""
    return "".join(f"{key}: {value}\r\n" for key, value in lines) + "\r\n"
