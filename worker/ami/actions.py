"""Actions for the Asterisk Manager Interface as bytes. Pure; dangerous values are refused, never repaired.

A CR or LF inside a value starts a new header or even a second action (`Variable: N=x\\r\\n\\r\\nAction:
Command` was executed by Asterisk 16.28), and a variable name of the form `FILE(/path)` writes a file. Such a
value comes from a mistake or an attack, so it raises `UnsafeAction` and nothing is sent. Messages name the
key, never the value: it may be a secret or a phone number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from worker.errors import DialerError

MAX_LINE_BYTES = 1022  # without CRLF; manager.c: "Failed to parse message: line too long" from 1023
MAX_LINES = 128  # AST_MAX_MANHEADERS in manager.h
MAX_CHANNEL_BYTES = 255  # manager.c cuts Channel there without a word
MAX_CHANNEL_ID_BYTES = 149  # "Uniqueid length exceeds maximum" beyond

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r'([\\,"])')
_FORBIDDEN = {"\r": "a carriage return", "\n": "a line feed", "\0": "a NUL character"}

Fields = Sequence[tuple[str, str]]


class UnsafeAction(DialerError):  # noqa: N818 - reads as what it is where it is caught
    """An action that Asterisk would misread was not sent."""


def encode(fields: Fields) -> bytes:
    """The action as Asterisk reads it, closed by an empty line."""
    if not fields:
        raise UnsafeAction("an AMI action needs at least the line Action")
    if len(fields) > MAX_LINES:
        raise UnsafeAction(
            f"the AMI action has {len(fields)} lines and Asterisk reads {MAX_LINES} at most; pass fewer variables"
        )
    lines = []
    for key, value in fields:
        if not _KEY.fullmatch(key):
            raise UnsafeAction(f"{key!r} is no AMI header name; use letters, digits, '-' and '_'")
        for character, name in _FORBIDDEN.items():
            if character in value:
                raise UnsafeAction(f"the value of {key} contains {name}, which would start a new AMI header; remove it")
        try:
            line = f"{key}: {value}".encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise UnsafeAction(f"the value of {key} is not valid text; remove its half characters") from None
        if len(line) > MAX_LINE_BYTES:
            raise UnsafeAction(
                f"the AMI line {key} has {len(line)} bytes and Asterisk reads {MAX_LINE_BYTES} at most; shorten it"
            )
        lines.append(line)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def action_name(fields: Fields) -> str:
    """The action's name, for people."""
    return fields[0][1] if fields else "(no action)"


def originate(
    *,
    channel: str,
    context: str,
    exten: str,
    timeout_ms: int,
    channel_id: str,
    action_id: str,
    caller_id: str,
    account: str,
    variables: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The fields of one Originate.

    Always Async (a synchronous one would hold up every later action) and always with a Priority: without it
    Asterisk says Success and the answered subscriber lands in the endpoint's own context. EarlyMedia is never
    sent: it makes a 183 an answer. Blanks around a variable's value are trimmed by Asterisk. `channel_id`
    becomes the Uniqueid.
    """
    size = len(channel.encode("utf-8", "surrogateescape"))
    if "/" not in channel or size > MAX_CHANNEL_BYTES:
        raise UnsafeAction(
            f"Channel must have the form technology/resource and at most {MAX_CHANNEL_BYTES} bytes, it has "
            f"{size} bytes"
            f"{'' if '/' in channel else ' and no slash'}; correct the trunk's dial_template"
        )
    if not context or not exten:
        raise UnsafeAction("Context and Exten of an Originate must not be empty; correct the project's settings")
    if timeout_ms <= 0:
        raise UnsafeAction(f"Timeout of an Originate is {timeout_ms} ms; it must be greater than 0")
    if not action_id:
        raise UnsafeAction("ActionID of an Originate must not be empty; its reply could not be told from others")
    if not 0 < len(channel_id.encode("utf-8", "surrogateescape")) <= MAX_CHANNEL_ID_BYTES:
        raise UnsafeAction(f"ChannelId of an Originate must have 1 to {MAX_CHANNEL_ID_BYTES} bytes")
    fields = [
        ("Action", "Originate"),
        ("ActionID", action_id),
        ("Channel", channel),
        ("Context", context),
        ("Exten", exten),
        ("Priority", "1"),
        ("Timeout", str(timeout_ms)),
        ("Async", "true"),
        ("ChannelId", channel_id),
    ]
    if caller_id:
        fields.append(("CallerID", caller_id))
    if account:
        fields.append(("Account", account))
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise UnsafeAction(
                f"{name!r} is no variable name (letters, digits and '_', no digit first); "
                "a name with brackets would call a dialplan function"
            )
        # One header per variable; inside a header a comma separates and an open quote swallows the rest.
        fields.append(("Variable", f"{name}={escape(value)}"))
    return fields


def escape(value: str) -> str:
    """`value` so that Asterisk sets exactly it (blanks at both ends excepted)."""
    return _SPECIAL.sub(r"\\\1", value)
