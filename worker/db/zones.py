"""This machine's time zone, for database servers that do not name theirs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def machine_zone(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> str | None:
    """The IANA name of this machine's zone; None: it has no zone, or only rules without a name."""
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
    """An offset from UTC as it is written in cases: +05:30."""
    minutes = round(abs(seconds) / 60)
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
