"""The presets of law: what `presets.toml` says, checked.

A preset is rows of rules with their source, its date and how sure they are, and a list of what the dialer does not see
to. `dialer rules` writes the rows; docs/rules.md shows them all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_FILE = Path(__file__).with_name("presets.toml")

Region = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
Purpose = Literal["sales", "debt", "research", "service"]
Time = Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
Minutes = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Row(_Part):
    """A row of rules; region, purpose: where they are not the preset's."""

    region: Region | None = None
    purpose: Purpose | None = None


class Hours(_Row):
    """A row of dialer_hours."""

    weekdays: str
    starts: Time
    stops: Time


class Limit(_Row):
    """A row of dialer_limits."""

    keyed_by: Literal["number", "case"] = "number"
    counts: Literal["attempts", "connected", "conversations"] = "attempts"
    most: Annotated[int, Field(ge=1)]
    period_minutes: Minutes | None = None
    local_period: Literal["day", "week", "month"] | None = None
    callbacks: bool = False


class Pause(_Row):
    """A row of dialer_pauses."""

    outcome: str | None = None
    disposition: str | None = None
    period_minutes: Minutes
    callbacks: bool = False


class Ring(_Part):
    """How long a phone rings, in seconds."""

    least: int
    most: int | None = None


class Preset(_Part):
    """One law or code. The fields are explained at the top of presets.toml."""

    name: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)?$")]
    title: str
    source: Annotated[str, Field(max_length=400)]
    dated: date
    sure: Literal["A", "B", "C"]
    region: Region
    purpose: Purpose | None = None
    needs: tuple[str, ...] = ()
    zone_by: Literal["number"] | None = None
    scrub_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    most_abandoned: float | None = None
    ring_seconds: Ring | None = None
    hours: tuple[Hours, ...] = ()
    limits: tuple[Limit, ...] = ()
    pauses: tuple[Pause, ...] = ()
    not_enforced: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def rules(self) -> tuple[_Row, ...]:
        """All its rows."""
        return (*self.hours, *self.limits, *self.pauses)

    @property
    def purposes(self) -> frozenset[str]:
        """The purposes that it is about; none: any."""
        named = (self.purpose, *(row.purpose for row in self.rules))
        return frozenset(one for one in named if one)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """By table, its rows: all columns but those that say what it is applied to."""
        return {
            "dialer_hours": [self._row(row) for row in self.hours],
            "dialer_limits": [self._row(row) for row in self.limits],
            "dialer_pauses": [self._row(row) for row in self.pauses],
        }

    def _row(self, row: _Row) -> dict[str, Any]:
        scope = {"region": row.region or self.region, "purpose": row.purpose or self.purpose}
        return row.model_dump() | scope | {"preset": self.name}


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the order of the file."""
    with _FILE.open("rb") as file:
        return {name: Preset(name=name, **fields) for name, fields in tomllib.load(file).items()}
