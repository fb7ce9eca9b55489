"""What one check found: fine, worth a look, or a fault with its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad it is. Only a FAULT keeps the dialer from doing its work, and makes `dialer check` exit 1."""

    OK = "OK"
    LOOK = "LOOK"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Finding:
    """One line of `dialer check`; `remedy`: what to do about it, empty if there is nothing to do."""

    verdict: Verdict
    subject: str
    text: str
    remedy: str = ""


def fine(subject: str, text: str) -> Finding:
    return Finding(Verdict.OK, subject, text)


def look(subject: str, text: str, remedy: str) -> Finding:
    return Finding(Verdict.LOOK, subject, text, remedy)


def fault(subject: str, text: str, remedy: str) -> Finding:
    return Finding(Verdict.FAULT, subject, text, remedy)


def clock(subject: str, ahead_seconds: float, uncertain_seconds: float) -> Finding:
    """Judge how far another clock is ahead of ours; `uncertain_seconds`: half the time that asking took."""
    off = max(0.0, abs(ahead_seconds) - uncertain_seconds)
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    text = f"its clock is {abs(ahead_seconds):.1f} s {direction} this machine's"
    remedy = "Let both machines follow a time server (chrony, systemd-timesyncd)."
    if off > 60:  # call windows are judged by the minute, by the database's clock
        return fault(subject, text, remedy)
    if off > 2:  # harmless for calls, but instants in the ledger and in Asterisk's logs no longer match
        return look(subject, text, remedy)
    return fine(subject, "its clock and this machine's agree")
