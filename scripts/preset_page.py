"""Writes the presets into docs/rules.md, out of dialer/presets.toml: `make presets`.

The rest of the page is written by hand. A test says when the page is not what it would be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dialer.presets import Preset, presets

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "rules.md"

BEGINS = "<!-- presets: written by make presets -->\n"
ENDS = "<!-- end of presets -->\n"

_PERIODS = {1440: "24 hours", 10080: "7 days", 43200: "30 days", 86400: "60 days"}


def page() -> str:
    """The page as it should be. Raises ValueError where its marks are missing."""
    text = PAGE.read_text("utf-8")
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"{PAGE.name} lacks the marks between which the presets stand")
    return f"{before}{BEGINS}\n{_written()}\n{ENDS}{after}"


def _written() -> str:
    lines = ["| preset | hours, local | how often | sure, as of | source |", "|---|---|---|---|---|"]
    for one in presets().values():
        rows = one.rows()
        cells = (
            f"`{one.name}`: {one.title}",
            "; ".join(_hours(one, rows["dialer_hours"])) or "none",
            "; ".join([*map(_limit, rows["dialer_limits"]), *map(_pause, rows["dialer_pauses"])]) or "none",
            f"{one.sure}, {one.dated}",
            one.source,
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    lines += ["", "What they do not see to:", ""]
    for one in presets().values():
        lines.append(f"- `{one.name}`: {' '.join(_asks(one))}")
    return "\n".join([*lines, ""])


def _asks(one: Preset) -> Iterator[str]:
    if one.needs:
        yield f"Apply {', '.join(f'`{name}`' for name in one.needs)}, too."
    if one.ring_seconds:
        most = f", {one.ring_seconds.most} at most" if one.ring_seconds.most else ""
        yield f"`dial_time`: {one.ring_seconds.least} seconds at least{most}."
    if one.scrub_days:
        yield f"`scrub_days`: {one.scrub_days} at most."
    if one.most_abandoned:
        yield f"`abandon_target`: {one.most_abandoned:g} at most."
    yield from one.not_enforced


def _hours(one: Preset, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows of one scope and the same days stand together."""
    told: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        special = tuple(row[name] for name in ("region", "purpose") if row[name] != getattr(one, name))
        told.setdefault((*special, row["weekdays"]), []).append(f"{row['starts']}-{row['stops']}")
    for words, spans in told.items():
        yield f"{' '.join(words)} {', '.join(spans)}"


def _limit(row: dict[str, Any]) -> str:
    counted = "calls" if row["counts"] == "attempts" else row["counts"]
    if row["most"] == 1:
        counted = counted.removesuffix("s")
    if row["local_period"]:
        period = f"a {row['local_period']}"
    else:
        period = f"in {_period(row['period_minutes'])}" if row["period_minutes"] else "in all"
    callbacks = ", callbacks too" if row["callbacks"] else ""
    return f"{row['most']} {counted} {period}{' per case' if row['keyed_by'] == 'case' else ''}{callbacks}"


def _pause(row: dict[str, Any]) -> str:
    return f"{_period(row['period_minutes'])} of rest after {row['outcome'] or row['disposition']}"


def _period(minutes: int) -> str:
    return _PERIODS.get(minutes) or f"{minutes} minutes"


def main() -> int:
    """The command line; the exit status."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
