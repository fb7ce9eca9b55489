"""`dialer why NUMBER`: the story of a number over all projects.

Its cases and why each is not being dialled, every attempt, the rules that have to do with it, and when each project may
ring it next. A fact per line, so that it can be searched; `--json` has the same for programs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.text import Text

from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.numbers import CASES_MOST, Numbers
from worker.errors import Mistake, SettingsError
from worker.figures import NextCall, NumberAttempt, NumberCase, NumberRule, NumberStory

_MINUTES = {"day": 1440, "hour": 60, "minute": 1}


def run(
    settings: DatabaseSettings,
    written: str,
    attempts: int,
    *,
    country: str | None = None,
    as_json: bool = False,
    stream: TextIO | None = None,
) -> int:
    """Print the story of a number; returns 0. country: by whose numbering plan it is read, two letters; None: the
    installation's. Raises NoNumber, UnknownCountry, SettingsError, DatabaseUnavailable."""
    if attempts < 0:
        raise SettingsError([Mistake("--attempts", f"{attempts} is out of range", "Give 0 or more.")])
    database = Database(settings)
    try:
        database.require_head()
        numbers = Numbers(database)
        story = numbers.story(numbers.form(written, country), attempts)
    finally:
        database.dispose()
    console = Console(file=stream, highlight=False, soft_wrap=True)
    if as_json:
        console.out(json.dumps(asdict(story), default=_plain, ensure_ascii=False, indent=2), highlight=False)
        return 0
    for line in told(story, attempts):
        console.print(line)
    return 0


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


def told(story: NumberStory, attempts: int) -> Iterator[Text]:
    """The lines. Names come from the database and may contain anything: they are never read as markup."""
    yield Text(story.number, "bold")
    if not story.number.startswith("+"):
        yield Text("  (as it is written: no numbering plan explains it; --country DE reads it by that of a country)")
    yield from _part("Next", [_next(one, story.asked_at) for one in story.next], "no project has a case with it")
    yield from _part("Cases", list(map(_case, story.cases)), "none")
    if len(story.cases) == CASES_MOST:
        yield Text(f"  (and perhaps more: {CASES_MOST} are looked at)")
    yield from _part("Attempts, the latest first", list(map(_attempt, story.attempts)), "none")
    if attempts and len(story.attempts) == attempts:
        yield Text(f"  (and perhaps more: --attempts {attempts * 10})")
    yield from _part("Rules", [_rule(one, story.asked_at) for one in story.rules], "none")


def _part(title: str, lines: list[str], nothing: str) -> Iterator[Text]:
    yield Text("")
    yield Text(title, "bold")
    for line in lines or [nothing]:
        yield Text(f"  {line}")


def _next(call: NextCall, now: datetime) -> str:
    if call.at is not None:
        when = "now" if call.at <= now else f"from {_instant(call.at)}"
    else:
        when = "never" if call.reason in {"used", "do_not_call"} else "nobody knows when"
    if call.reason == "other_number":
        return f"project {call.project_id}: not before {call.detail}: {when}"
    if call.reason == "queued" and call.at is not None and call.at <= now:
        return f"project {call.project_id}: {when}"
    # The instant is when all that is in the way is over, the reason what is in the way first.
    why = f" ({_reason(call)})" if call.at is None or call.at <= now else f" (now {_reason(call)})"
    return f"project {call.project_id}: {when}{why}"


def _case(case: NumberCase) -> str:
    parts = [f"case {case.case_id} of project {case.project_id}: {_reason(case)}"]
    if case.until_at is not None:
        parts.append(f"until {_instant(case.until_at)}")
    if case.own_reason is not None and case.own_reason != case.reason:
        until = f" until {_instant(case.own_until_at)}" if case.own_until_at else ""
        parts.append(f"its own reason: {case.own_reason}{until}")
    if case.next_at is not None and case.own_reason is not None:
        parts.append(f"free of reasons of its own from {_instant(case.next_at)}")
    if case.place > 1:
        parts.append(f"its number {case.place}, after {case.phone_number}")
    return "; ".join(parts)


def _reason(one: NumberCase | NextCall) -> str:
    if one.reason == "used":
        return "used: no further attempt is made"
    return f"{one.reason}: {one.detail}" if one.detail else one.reason


def _attempt(attempt: NumberAttempt) -> str:
    parts = [
        f"{_instant(attempt.begun_at)}  attempt {attempt.attempt_id}, case {attempt.case_id} of project"
        f" {attempt.project_id}: {attempt.outcome or f'under way ({attempt.state})'}"
    ]
    if attempt.talk_seconds is not None:
        parts.append(f"talked {attempt.talk_seconds:.0f} s")
    for name, value in (("agent", attempt.agent), ("code", attempt.disposition), ("shown", attempt.caller_id)):
        if value is not None:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _rule(rule: NumberRule, now: datetime) -> str:
    words = {"do_not_call": _do_not_call, "limit": _limit, "pause": _pause, "rest": _rest, "abandoned": _abandoned}
    of = "of no project with a case of it" if rule.project_id is None else f"project {rule.project_id}"
    line = f"{of}: {words[rule.kind](rule)}"
    if rule.from_at is not None and rule.from_at > now:
        line += f", only from {_instant(rule.from_at)}"
    if rule.until_at is not None:
        line += f", {'over since' if rule.until_at <= now else 'until'} {_instant(rule.until_at)}"
    if rule.preset is not None:
        line += f" [preset {rule.preset}]"
    return line


def _do_not_call(rule: NumberRule) -> str:
    line = f"do not call {rule.number} (dialer_dnc {rule.rule_id})"
    if rule.reason:
        line += f": {rule.reason}"
    return line if rule.attempt_id is None else f"{line}, asked for in attempt {rule.attempt_id}"


def _limit(rule: NumberRule) -> str:
    period = f"per {rule.local_period}" if rule.local_period else "over the whole campaign"
    if rule.period_minutes:
        period = f"in {_period(rule.period_minutes)}"
    cap = f"at most {rule.most} {rule.counts} of the {rule.keyed_by} {period}"
    return f"{cap} (dialer_limits {rule.rule_id}){_bound(rule)}"


def _pause(rule: NumberRule) -> str:
    after = rule.outcome or f"the agent's code {rule.disposition}"
    return f"rests {_period(rule.period_minutes or 0)} after {after} (dialer_pauses {rule.rule_id}){_bound(rule)}"


def _rest(rule: NumberRule) -> str:
    return f"rests since attempt {rule.attempt_id} (dialer_pauses {rule.rule_id}){_bound(rule)}"


def _abandoned(rule: NumberRule) -> str:
    return f"attempt {rule.attempt_id} abandoned it: it is called only with an agent certain"


def _bound(rule: NumberRule) -> str:
    return "" if rule.callbacks else ", but for promised callbacks"


def _period(minutes: int) -> str:
    name, size = next((name, size) for name, size in _MINUTES.items() if minutes % size == 0)
    count = minutes // size
    return f"{count} {name}{'' if count == 1 else 's'}"


def _instant(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
