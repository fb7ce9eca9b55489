"""Turns what pydantic finds wrong with the settings into sentences that name the value, its place and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import get_type_hints

from pydantic import AliasPath, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from worker.config_sources import Sources, Unreadable, kind_of


def refusal(fault: str, remedy: str) -> PydanticCustomError:
    """For validators to raise. The fault names the value, but never a secret."""
    return PydanticCustomError("refusal", "{fault}", {"fault": fault, "remedy": remedy})


def shown(value: object) -> str:
    """A wrong value, cut to 60 characters. An address or a list of options in the wrong place may hold a password, so
    that is not shown."""
    text = str(value).strip()
    if "@" in text or "://" in text:
        return "a url"
    return "it" if re.search("[:;=]", text) else repr(text[:60])


def fields_of(kind: type) -> dict[str, FieldInfo]:
    """The fields of a dataclass that people set, by their aliases, the names that people write."""
    found = {}
    for hint in get_type_hints(kind, include_extras=True).values():
        field = FieldInfo.from_annotation(hint)
        alias = field.validation_alias
        name = alias.path[-1] if isinstance(alias, AliasPath) else alias
        if isinstance(name, str):
            found[name] = field
    return found


def report(error: ValidationError, sources: Sources, classes: Mapping[str, type], asterisks: Sequence[str]) -> None:
    """Add each mistake to those of `sources`. `classes`: by section; `asterisks`: sections of the tree's Asterisks."""
    for detail in error.errors(include_url=False):
        if detail["type"] == "default_factory_not_called":
            continue  # it waits for another field, which is wrong
        table, *path, name = detail["loc"]
        section = asterisks[int(path[0])] if path else str(table)
        place = (section, str(name))
        if detail["type"] == "missing":
            sources.missing(place)
        else:
            field = fields_of(classes[section.partition(".")[0]])[str(name)]
            fault, remedy = _sentence(detail, field)
            source = sources.source(place)
            if source.upper().endswith("_FILE") and not isinstance(detail["input"], Unreadable):
                fault = "names a file that holds something else"  # a password, perhaps, so it is not shown
            sources.wrong(source, fault, remedy)


def _sentence(detail: ErrorDetails, field: FieldInfo) -> tuple[str, str]:
    """Fault and remedy."""
    value = detail["input"]
    if isinstance(value, Unreadable):
        remedy = "Give a file that holds the value alone, with the right to read it."
        # What is no path may be the very password.
        named = f" {str(value.path)!r}" if value.path.is_absolute() and "@" not in str(value.path) else ""
        return f"the file{named} cannot be read ({value.reason})", remedy
    what = field.description or "text"
    low = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    high = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    within = f"Give {what} from {low} to {high}."
    match detail["type"]:
        case "refusal":
            return detail["ctx"]["fault"], detail["ctx"]["remedy"]
        case "string_type" | "path_type":
            return f"must be {what}, not a {kind_of(value)}", "Write it in quotes."
        case "too_long":
            return f"has {len(str(value))} characters", f"Give {detail['ctx']['max_length']} at most."
        case "bool_type" | "bool_parsing":
            return f"{shown(value)} is neither true nor false", "Give true or false."
        case "path_not_file":
            return f"there is no file {str(value)!r}", "Give the path of a PEM file."
        case "greater_than_equal" | "less_than_equal":
            return f"{str(value).strip()[:60]} is out of range", within
        case _:
            return f"{shown(value)} is not {what}", within
