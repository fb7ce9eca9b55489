"""Bytes from the Asterisk Manager Interface in, messages out. Pure: no socket, no clock.

A message is a block of `Key: value` lines, each ended by CRLF, closed by an empty line. Only CRLF ends a line
and only CRLFCRLF ends a message: a SIP caller can put a bare LF, a vertical tab or U+2028 into a caller id,
and a reader that cut there would let the caller write headers (`str.splitlines` does). Nothing is decoded
before somebody asks for a value; a Latin-1 display name passes unchanged and is kept by `surrogateescape`.

What makes it fast: an event nobody wants is dropped after a look at its name, and Asterisk writes the events
of one kind with the same keys in the same order. The `Framer` learns each such layout as one regular
expression. A match proves that no key is repeated or foreign and leaves every value in a group, so the check
against tampering and the reading of fields cost one pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from worker.errors import DialerError

CRLF = b"\r\n"
END = b"\r\n\r\n"
EVENT = b"Event: "
REPLY = b"Response: "

# Keys that Asterisk 16 itself repeats: `Variable` in Status, `Output` in Command, `State` in TestEvent and
# ChanVariable in every event, also as DestChanVariable and as ChanVariable(channel) in OriginateResponse.
_REPEATABLE = re.compile(rb"(?:[A-Za-z]*ChanVariable(?:\(.*\))?|Variable|Output|State)", re.DOTALL)

# A layout costs memory and about a millisecond to compile, and a hostile caller can invent keys.
_LAYOUTS_PER_NAME = 8
_LAYOUTS = 256

_needles: dict[str, bytes] = {}  # field name to the bytes to search for; the names are literals in our own code
_NEEDLES = 1024


class Event(Protocol):
    """What the judging code reads of an event: a Message is one, a test's fact another."""

    @property
    def name(self) -> str:
        """The event's name."""
        ...

    def get(self, key: str, default: str = "") -> str:
        """A field."""
        ...


class FramingError(DialerError):
    """The peer's bytes cannot be AMI: a message or the unread rest is larger than anything Asterisk sends."""


_Match = re.Match[bytes]
_Layout = tuple[str, Callable[[bytes], _Match | None], dict[str, int]]


_NO_INDEX: Mapping[str, int] = MappingProxyType({})


class Message:
    """One event or one reply, read lazily.

    `raw` is the message without its closing CRLFCRLF. `name` is the event's name, '' for anything else. The
    first line decides: `Event: OriginateResponse` is an event although it has a `Response` header.
    """

    __slots__ = ("_index", "_match", "name", "raw")

    def __init__(
        self,
        raw: bytes,
        name: str | None = None,
        match: _Match | None = None,
        index: Mapping[str, int] = _NO_INDEX,
    ) -> None:
        self.raw = raw
        self.name = _event_name(raw) if name is None else name
        self._match = match
        self._index = index

    @property
    def is_reply(self) -> bool:
        """Whether this answers an action of ours."""
        return not self.name and self.raw.startswith(REPLY)

    def get(self, key: str, default: str = "") -> str:
        """Value of the first line whose key is exactly `key` (letter case counts), else `default`."""
        match = self._match
        if match is not None:
            group = self._index.get(key)
            return default if group is None else str(match[group], "utf-8", "surrogateescape")
        raw = self.raw
        needle = _needles.get(key) or _needle(key)
        start = raw.find(needle)
        if start >= 0:
            start += len(needle)
        elif raw.startswith(needle[2:]):
            start = len(needle) - 2
        else:
            return default
        if raw[start : start + 1] == b" ":
            start += 1
        end = raw.find(CRLF, start)
        return str(raw[start:] if end < 0 else raw[start:end], "utf-8", "surrogateescape")

    def fields(self) -> list[tuple[str, str]]:
        """All lines in order; a line without a colon comes with an empty value."""
        pairs = []
        for line in self.raw.split(CRLF):
            key, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            pairs.append((str(key, "utf-8", "surrogateescape"), str(value, "utf-8", "surrogateescape")))
        return pairs

    def tampered(self) -> bool:
        """Whether the message has what Asterisk never writes: a repeated single-valued key, a line with no
        key.

        It is the trace of CR and LF in a SIP header that chan_pjsip decoded and manager_channels.c printed
        raw.
        """
        return self._match is None and _keys(self.raw) is None

    def __repr__(self) -> str:
        """Shape only: the values hold phone numbers and, in a Getvar reply, anything."""
        return f"<AMI {self.name or ('reply' if self.is_reply else 'message')}, {len(self.raw)} bytes>"


class Framer:
    """Cuts a stream into messages, whatever the chunks; hold one per connection.

    `wanted` names the events to return (None: all); replies are always returned. While `expect` is set, an
    unwanted event that contains these bytes is returned too: the client puts `ActionID` there while a list is
    being read, so that no list of item names has to be kept. `skipped` counts unwanted events, `tampered` the
    messages that were dropped because Asterisk cannot have written them; `banner` is the greeting line.
    """

    def __init__(
        self,
        max_message: int = 65536,
        max_buffer: int = 8 * 1024 * 1024,
        wanted: frozenset[str] | None = None,
    ) -> None:
        self.banner: str | None = None
        self.expect: bytes | None = None
        self.skipped = 0
        self.tampered = 0
        self._max_message = max_message
        self._max_buffer = max_buffer
        self._wanted = wanted
        self._rest = bytearray()
        # By first line with its CR: the layouts seen so far, none for an event that nobody wants.
        self._kinds: dict[bytes, list[_Layout]] = {}
        self._learned = 0

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`, in order. After FramingError the connection is to be dropped."""
        rest = self._rest
        if len(rest) + len(data) > self._max_buffer:
            raise FramingError(
                f"the AMI peer sent {len(rest) + len(data)} bytes at once, more than {self._max_buffer}; "
                "check that host and port of the settings are those of Asterisk's manager"
            )
        if rest or self.banner is None:
            # The end can straddle the old and the new bytes, so look back three; looking at no more than that
            # keeps a stream of single bytes linear.
            look_from = max(0, len(rest) - len(END) + 1)
            rest += data
            if self.banner is None:
                if not self._take_banner(look_from):
                    return []
                look_from = 0
            if rest.find(END, look_from) < 0:
                self._check_size(len(rest))
                return []
            data = bytes(rest)
        blocks = data.split(END)
        last = blocks.pop()
        self._check_size(len(last))
        self._rest = bytearray(last)
        if len(data) > self._max_message:
            self._check_size(max(map(len, blocks), default=0))
        return self._messages(blocks)

    def _messages(self, blocks: list[bytes]) -> list[Message]:
        kinds = self._kinds
        expect = self.expect
        messages: list[Message] = []
        append = messages.append
        for raw in blocks:
            layouts = kinds.get(raw[: raw.find(CRLF) + 1])
            if layouts:
                for name, match_layout, index in layouts:
                    match = match_layout(raw)
                    if match is not None:
                        append(Message(raw, name, match, index))
                        break
                else:
                    self._look_closely(raw, messages)
            elif layouts is None or expect is not None:
                self._look_closely(raw, messages)
            else:
                self.skipped += 1
        return messages

    def _look_closely(self, raw: bytes, messages: list[Message]) -> None:
        """A reply, or an event whose layout is not known yet: check it key by key."""
        # Asterisk modules and later versions end some messages with an empty line too many.
        raw = raw.lstrip(CRLF)
        if not raw:
            return
        if not raw.startswith((EVENT, REPLY)):
            # The tail of a message that a caller cut in two with an empty line.
            self.tampered += 1
            return
        first_line = raw[: raw.find(CRLF) + 1]
        name = _event_name(raw)
        if name and self._wanted is not None and name not in self._wanted:
            if len(self._kinds) < _LAYOUTS:
                self._kinds.setdefault(first_line, [])
            if self.expect is None or self.expect not in raw:
                self.skipped += 1
                return
        keys = _keys(raw)
        if keys is None:
            self.tampered += 1
            return
        messages.append(Message(raw, name))
        if name and (self._wanted is None or name in self._wanted):
            self._learn(first_line, name, raw)

    def _learn(self, first_line: bytes, name: str, raw: bytes) -> None:
        """Remember the layout of an honest event."""
        layouts = self._kinds.get(first_line, [])
        if self._learned >= _LAYOUTS or len(layouts) >= _LAYOUTS_PER_NAME:
            return
        lines = []
        index: dict[str, int] = {}
        for group, line in enumerate(raw.split(CRLF), 1):
            key, _, value = line.partition(b":")
            # A value with a bare CR does not match and takes the slow way again; that is rare and safe.
            lines.append(re.escape(key) + (b": ([^\r]*)" if value.startswith(b" ") else b":(?! )([^\r]*)"))
            index.setdefault(str(key, "utf-8", "surrogateescape"), group)
        layouts.append((name, re.compile(CRLF.join(lines)).fullmatch, index))
        self._kinds[first_line] = layouts
        self._learned += 1

    def _take_banner(self, look_from: int) -> bool:
        """Cut the greeting off; False until its CRLF has come. A stream without a greeting starts right away."""
        end = self._rest.find(CRLF, max(0, look_from))
        if end < 0:
            self._check_size(len(self._rest))
            return False
        line = bytes(self._rest[:end])
        if line.startswith((EVENT, REPLY)):
            self.banner = ""
        else:
            self.banner = str(line, "utf-8", "replace")
            del self._rest[: end + 2]
        return True

    def _check_size(self, size: int) -> None:
        if size > self._max_message:
            raise FramingError(
                f"the AMI peer sent a message of at least {size} bytes, more than {self._max_message}; "
                "check that host and port of the settings are those of Asterisk's manager"
            )


def _event_name(raw: bytes) -> str:
    if not raw.startswith(EVENT):
        return ""
    return str(raw[len(EVENT) :].partition(CRLF)[0], "utf-8", "surrogateescape")


def _keys(raw: bytes) -> list[bytes] | None:
    """The keys in order; None if one is missing, wrongly repeated, or holds a line break."""
    keys = []
    for line in raw.split(CRLF):
        key, colon, _ = line.partition(b":")
        if not colon or not key or b"\n" in key or b"\r" in key:
            return None
        keys.append(key)
    unique = set(keys)
    if len(unique) != len(keys):
        for key in unique:
            if keys.count(key) > 1 and _REPEATABLE.fullmatch(key) is None:
                return None
    return keys


def _needle(key: str) -> bytes:
    needle = CRLF + key.encode() + b":"
    if len(_needles) < _NEEDLES:
        _needles[key] = needle
    return needle
