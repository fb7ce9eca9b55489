"""`dialer rules`: presets of law as rows of rules, which rules bind a project, and what no row can see to.

Rows are written and read by worker.db.routines.rules; what a preset says stands in presets.toml.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from dialer.finding import Finding, fine, look
from dialer.presets import Preset, presets
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.rules import Rules, Scope
from worker.errors import DialerError, UnknownProject
from worker.figures import AppliedPreset, RuleCount, RuledProject

OLD = timedelta(days=730)
"""Law that was read longer ago has to be read again."""
HOLIDAYS_AHEAD = timedelta(days=60)


class UnknownPresetError(DialerError):
    """No preset has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no preset {name!r}. `dialer rules list` shows those that there are.")


class NotAppliedError(DialerError):
    """There is nothing to take back."""


def preset(name: str) -> Preset:
    """A preset by its name. Raises UnknownPresetError."""
    try:
        return presets()[name]
    except KeyError:
        raise UnknownPresetError(name) from None


@contextmanager
def _rules(settings: DatabaseSettings) -> Iterator[Rules]:
    database = Database(settings)
    try:
        database.require_head()
        yield Rules(database)
    finally:
        database.dispose()


# list, show


def list_presets(settings: DatabaseSettings) -> Iterator[str]:
    """A line for each preset, with lines below it for what it is applied to in this database."""
    with _rules(settings) as rules:
        applied = rules.applied()
    wide = max(map(len, presets()))
    for name, one in presets().items():
        yield f"{name:<{wide}}  {one.sure}  {one.dated}  {one.title}: {one.source}"
        for row in applied:
            if row.preset == name:
                yield f"{'':<{wide}}  applied to {_to(Scope(row.project_id, row.client))}{_older(row, one)}"
    for row in applied:
        if row.preset not in presets():
            yield f"{row.preset:<{wide}}  applied to {_to(Scope(row.project_id, row.client))}; not of this program"


def _older(row: AppliedPreset, one: Preset) -> str:
    return "" if row.dated == one.dated else f" as of {row.dated}: apply it again"


def _to(scope: Scope) -> str:
    if scope.project_id is not None:
        return f"project {scope.project_id}"
    return "all projects" if scope.client is None else f"the projects of client {scope.client}"


def show(name: str) -> Iterator[str]:
    """All that a preset says: its source, the rows that it writes, what it does not see to."""
    one = preset(name)
    yield f"{one.name}: {one.title}"
    yield f"  source: {one.source}"
    yield f"  as of {one.dated}, sure: {one.sure} (A: text or regulator, B: two secondary sources, C: one, or disputed)"
    for table, rows in one.rows().items():
        for row in rows:
            told = ", ".join(
                f"{column} {_value(value)}" for column, value in row.items() if _worth_telling(column, value)
            )
            yield f"  {table}: {told}"
    if not one.rules:
        yield "  writes no rows"
    if one.zone_by:
        yield "  dialer_params.zone_by number, in the projects that it is about"
    if one.scrub_days:
        yield f"  dialer_params.scrub_days {one.scrub_days}, in the projects that it is about"
    yield from (f"  not enforced here: {told}" for told in _not_enforced(one))


def _worth_telling(column: str, value: object) -> bool:
    return column != "preset" and value is not None and value is not False


def _value(value: object) -> str:
    return "true" if value is True else str(value)


def _not_enforced(one: Preset) -> Iterator[str]:
    if one.needs:
        yield f"What holds beside it: apply {', '.join(one.needs)}, too."
    if one.ring_seconds:
        most = f", at most {one.ring_seconds.most}" if one.ring_seconds.most else ""
        yield f"Phones ring for {one.ring_seconds.least} seconds at least{most}: set dial_time."
    yield from one.not_enforced


# apply, remove


def apply(settings: DatabaseSettings, name: str, scope: Scope) -> Iterator[str]:
    """Write a preset's rows for a scope. Yields sentences: what was done, then what it does not see to."""
    one = preset(name)
    record: dict[str, Any] = {
        "preset": one.name,
        "region": one.region,
        "purpose": one.purpose,
        "source": one.source,
        "dated": one.dated,
        "sure": one.sure,
    }
    with _rules(settings) as rules:
        written = rules.apply(
            record,
            one.rows(),
            scope,
            purposes=one.purposes,
            by_number=one.zone_by == "number",
            scrub_days=one.scrub_days,
        )
        projects = rules.projects()
    replaced = f", in place of {written.replaced} of an earlier time" if written.replaced else ""
    yield f"{one.name} is applied to {_to(scope)}: {_count(written.rows, 'row')}{replaced}. {one.title}: {one.source}."
    if written.by_number:
        told = ", ".join(written.by_number)
        yield f"Cases without utc go by the zone of their number from now on (zone_by number) in: {told}."
    if written.scrubbed:
        yield (
            f"A list may be used for {one.scrub_days} days after it was compared with the do-not-call registry"
            f" (scrub_days {one.scrub_days}) in: {', '.join(written.scrubbed)}. Write into scrubbed_at when that was,"
            " and into scrub_blocks true if cases of a list that is too old are not to be called at all."
        )
    if scope.client is not None and not any(project.client == scope.client for project in projects):
        yield f"No project has the client {scope.client!r} yet (dialer_params.client)."
    yield from (f"Not enforced here: {told}" for told in _not_enforced(one))


def remove(settings: DatabaseSettings, name: str, scope: Scope) -> Iterator[str]:
    """Take back what a preset wrote for a scope. Raises NotAppliedError."""
    with _rules(settings) as rules:
        removed = rules.remove(name, scope)
        still = [row for row in rules.applied() if row.preset == name]
    if removed is None:
        elsewhere = "; ".join(_to(Scope(row.project_id, row.client)) for row in still) or "nothing"
        raise NotAppliedError(f"{name} is not applied to {_to(scope)}, but to: {elsewhere}. Nothing was changed.")
    yield (
        f"{name} is no longer applied to {_to(scope)}: {_count(removed, 'row')} removed. zone_by and scrub_days stay as"
        " they are."
    )
    yield from (f"It is still applied to {_to(Scope(row.project_id, row.client))}." for row in still)


def renew(settings: DatabaseSettings) -> Iterator[str]:
    """Make numbering plans, prefixes and holidays those of this program. Yields a sentence per table."""
    with _rules(settings) as rules:
        found = rules.renew()
    for one in found:
        own = f", {one.own} of them your own" if one.own else ""
        yield f"{one.table}: {_count(one.rows, 'row')}{own}."
        if one.unknown_zones:
            yield (
                f"{_count(one.unknown_zones, 'prefix', 'prefixes')} without the zones that belong to them: this server"
                " does not know these. Load current zones (docs/database.md), then run `dialer rules data` again."
            )


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


# check


def check(settings: DatabaseSettings, project_id: str | None, today: date) -> Iterator[Finding]:
    """Which rules bind each project (or that one), and what of them needs somebody's attention."""
    with _rules(settings) as rules:
        projects = [one for one in rules.projects() if project_id in (None, one.project_id)]
        applied, counts, holidays = rules.applied(), rules.binding(), rules.holidays_until()
    if project_id is not None and not projects:
        raise UnknownProject(project_id)
    seen: dict[str, Preset] = {}
    for project in projects:
        binding = [row for row in applied if _covers(row, project)]
        yield _bound(project, binding, counts)
        yield from _hours(project, counts)
        for row in binding:
            if one := presets().get(row.preset):
                seen[row.preset] = one
                yield from _of_project(project, one, {other.preset for other in binding})
    yield from _of_presets([row for row in applied if project_id is None or row.preset in seen], today)
    for one in seen.values():
        yield from (look(one.name, f"not enforced here: {told}", "") for told in one.not_enforced)
        yield from _holidays(one, holidays, today)


def _covers(row: AppliedPreset, project: RuledProject) -> bool:
    return row.project_id in (None, project.project_id) and row.client in (None, project.client)


def _bound(project: RuledProject, binding: Sequence[AppliedPreset], counts: Sequence[RuleCount]) -> Finding:
    subject = f"project {project.project_id}"
    rules: dict[str, list[str]] = {}
    for one in counts:
        if one.project_id == project.project_id:
            rules.setdefault(one.preset or "your own", []).append(f"{one.rows} of {one.kind}")
    for row in binding:
        rules.setdefault(row.preset, [])
    if not rules:
        remedy = "`dialer rules list` shows the presets of law, `dialer rules apply` writes one."
        return look(subject, "no preset is applied to it, and no row of hours, limits or pauses binds it", remedy)
    told = "; ".join(f"{name} ({', '.join(some) or 'no row'})" for name, some in rules.items())
    return fine(subject, f"purpose {project.purpose}, bound by {told}")


def _hours(project: RuledProject, counts: Sequence[RuleCount]) -> Iterator[Finding]:
    kinds = {one.kind for one in counts if one.project_id == project.project_id}
    if kinds and "hours" not in kinds:
        text = "no row of dialer_hours binds it: it calls at any hour that its cases do not exclude themselves"
        yield look(
            f"project {project.project_id}", text, "Insert rows of dialer_hours, or apply a preset that has some."
        )


def _of_project(project: RuledProject, one: Preset, applied: set[str]) -> Iterator[Finding]:
    subject = f"project {project.project_id}"
    if one.purposes and project.purpose not in one.purposes:
        text = f"{one.name} is about {', '.join(sorted(one.purposes))}, and the project's purpose is {project.purpose}"
        yield look(subject, text, "Correct dialer_params.purpose, or look for another preset.")
        return
    if one.most_abandoned and project.type == "predictive" and project.abandon_target > one.most_abandoned:
        text = f"abandon_target is {project.abandon_target:g}, {one.name} allows {one.most_abandoned:g} per cent"
        yield look(subject, text, f"Write abandon_target {one.most_abandoned:g} or less.")
    if ring := one.ring_seconds:
        if project.dial_seconds < ring.least:
            text = f"phones ring for {project.dial_seconds:g} seconds, {one.name} asks for {ring.least} at least"
            yield look(subject, text, f"Write dial_time {ring.least * 1000} or more.")
        if ring.most and project.dial_seconds > ring.most:
            text = f"phones ring for {project.dial_seconds:g} seconds, {one.name} allows {ring.most} at most"
            yield look(subject, text, f"Write dial_time {ring.most * 1000} or less.")
    if one.zone_by == "number" and project.zone_by != "number":
        text = f"cases without utc are called by the project's clock, and {one.name} means the subscriber's"
        yield look(subject, text, "Write zone_by 'number' into dialer_params.")
    if one.scrub_days:
        yield from _list(project, one.name, one.scrub_days)
    if missing := [name for name in one.needs if name not in applied]:
        remedy = f"Run `dialer rules apply {missing[0]}`."
        yield look(
            subject, f"{one.name} is applied to it, and {', '.join(missing)}, which holds beside it, is not", remedy
        )


def _list(project: RuledProject, name: str, days: int) -> Iterator[Finding]:
    subject = f"project {project.project_id}"
    asks = f"{name} asks for a list that was compared with the do-not-call registry at most {days} days ago"
    if project.scrub_days is None or project.scrub_days > days:
        yield look(subject, f"{asks}, and its scrub_days is {project.scrub_days}", f"Write scrub_days {days} or less.")
    elif project.list_is_old:
        text = f"{asks}, and by its scrubbed_at that was longer ago, or nobody has noted it"
        yield look(subject, text, "Compare the list, then write the instant into dialer_params.scrubbed_at.")


def _of_presets(applied: Sequence[AppliedPreset], today: date) -> Iterator[Finding]:
    for row in {(row.preset, row.dated): row for row in applied}.values():
        one = presets().get(row.preset)
        if one is None:
            remedy = "Look whether its rows still hold; `dialer rules remove` takes them back."
            yield look(row.preset, f"was applied, as of {row.dated}, and is not a preset of this program", remedy)
        elif row.dated != one.dated:
            remedy = f"Run `dialer rules show {row.preset}`, then apply it again."
            yield look(row.preset, f"was applied as of {row.dated}, and this program has it as of {one.dated}", remedy)
        elif row.dated < today - OLD:
            remedy = "Read its source again; a newer release of the dialer may have it."
            yield look(row.preset, f"is the law as of {row.dated}, more than two years ago", remedy)


def _holidays(one: Preset, known: dict[str, date], today: date) -> Iterator[Finding]:
    """Rows for days of their own need to know these days."""
    if not one.hours or all("PH" in row.weekdays and row.weekdays.startswith("Mo-Su") for row in one.hours):
        return
    last = known.get(one.region[:2])
    if last is None or last < today + HOLIDAYS_AHEAD:
        text = f"public holidays of {one.region[:2]} are known until {last or 'never'}"
        yield look(
            one.name, text, "Install a newer release, and run `dialer rules data`; or write rows of dialer_holidays."
        )
