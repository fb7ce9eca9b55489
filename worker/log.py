"""The log, one line per fact: `2026-03-01T09:15:02.113Z INFO worker.owners.keeper lease taken action=lease_taken`.

A line has a short text, and the facts from `extra={"action": ..., "attempt_id": ...}`. Secrets and whole phone numbers
stay out: facts whose name means a phone number are masked here, too, whoever wrote them.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

OUR_PACKAGES = ("worker", "api", "dialer", "sql")
LEVELS = {1: logging.ERROR, 2: logging.INFO, 3: logging.DEBUG}

_NUMBERS = frozenset({"number", "phone", "phone_number", "caller", "caller_number", "callerid"})
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+*#@%,;~[]{}()'!?<>&$^|")


_ROWS = re.compile(r"\n(?:DETAIL:|CONTEXT:|\[SQL:|\[parameters:).*", re.DOTALL)
"""What a database's error says after its first sentence: the refused row, which is a person with name and number, and
the statement."""
_ROW = re.compile(r"\nDETAIL:.*")


def setup(loglevel: int, stream: TextIO) -> None:
    """Log to `stream` at the original's levels: 1 ERROR, 2 also INFO, 3 also DEBUG. Another call replaces this setup.

    Libraries log only trouble: warnings and errors, at level 1 only errors.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FactFormatter(tracebacks=loglevel >= 3))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, FactFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(LEVELS[loglevel], logging.WARNING))
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(LEVELS[loglevel])
    logging.captureWarnings(True)
    logging.raiseExceptions = loglevel >= 3  # or each line to a lost stream prints a traceback


def traced() -> bool:
    """Whether tracebacks are wanted: loglevel 3."""
    handlers = logging.getLogger().handlers
    return any(isinstance(one.formatter, FactFormatter) and one.formatter.tracebacks for one in handlers)


class Masked(str):
    """A number that `masked` has masked already, so it is left alone. The text alone could not show that: a number may
    begin with ***."""

    __slots__ = ()


def masked(number: str | None) -> str:
    """A phone number in the form allowed in a log: its last four digits, two if it is short, none if it is tiny."""
    if isinstance(number, Masked):
        return number
    if not number:
        return Masked("-")
    keep = 4 if len(number) >= 9 else 2 if len(number) >= 4 else 0
    return Masked("***" + number[len(number) - keep :])


class FactFormatter(logging.Formatter):
    """Text, then the facts of `extra` as key=value, on one line whatever they contain; the instant is in UTC.

    An exception becomes error= and at=; its traceback follows, indented, only if `tracebacks` asks for it.
    """

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self.tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = {key: value for key, value in vars(record).items() if key not in _OWN}
        words = [at, record.levelname, record.name, _one_line(record.getMessage())]
        if "action" in facts:
            words.append(f"action={_value('action', facts.pop('action'))}")
        words += [f"{key}={_value(key, value)}" for key, value in facts.items()]
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            words.append(f"error={_value('error', f'{type(error).__name__}: {error}')}")
            words += [f"at={frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-1:]]
        line = " ".join(words)
        if error is not None and self.tracebacks:
            told = "".join(traceback.format_exception(error)).rstrip("\n")
            line += "".join(f"\n    {part}" for part in _ROW.sub("", told).splitlines())
        return line


def _value(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key in _NUMBERS:
        value = masked(value if isinstance(value, str) else str(value))
    elif isinstance(value, float):
        value = f"{value:.3f}".rstrip("0").rstrip(".")
    elif isinstance(value, datetime):
        value = value.isoformat()
    text = _ROWS.sub("", str(value))
    return text if text and _PLAIN.issuperset(text) else _one_line(json.dumps(text, ensure_ascii=False))


def _one_line(text: str) -> str:
    """Control characters become escapes, so a name from outside can neither fake a line nor colour a terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
