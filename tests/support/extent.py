"""How often what repeats itself is tried: `make test` tries it less often than `make test-full` does."""

from __future__ import annotations

_is_brief = False


def be_brief(*, when: bool) -> None:
    """Called before test modules are imported."""
    global _is_brief  # noqa: PLW0603 - the extent of a whole run
    _is_brief = when


def is_brief() -> bool:
    return _is_brief


def often(whole: int, brief: int) -> int:
    """So many times in a whole run, and so many in a brief one."""
    return brief if _is_brief else whole
