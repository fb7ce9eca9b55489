"""The zone of this machine, for database servers that do not name theirs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def machine_zone(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> str | None:
    """The IANA name by which this machine calls its zone; None: it has none, or only rules."""
    named = environ.get("TZ", "").removeprefix(":")
    if named:
        return named.rpartition("zoneinfo/")[2]
    link = root / "etc/localtime"
    if link.is_symlink():
        _, found, name = str(link.readlink()).rpartition("zoneinfo/")
        if found:
            return name
    written = root / "etc/timezone"
    return written.read_text(errors="replace").strip() or None if written.is_file() else None


def written_offset(seconds: int) -> str:
    """An offset from UTC as cases write it: +05:30."""
    minutes = round(abs(seconds) / 60)
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
