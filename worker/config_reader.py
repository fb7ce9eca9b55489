"""Reads settings as people write them: a TOML file, a folder of JSON files, variables; keeps every mistake.

What a setting means is none of this module's business (config.py); which names exist, where each value came
from and whether it is a number, is.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import Mistake

DEFAULT_ASTERISK = "default"
URL_PARTS = ("Driver", "DB_Server", "Port", "DB_Name", "Username", "Password")

_AMI = ("Ip", "Port", "Timeout", "Username", "Password", "Tls", "Tls_Ca")
_POOL = ("Conn_Max_Lifetime", "Max_Open_Conns", "Max_Idle_Conns")
_KNOWN: dict[str, tuple[str, ...]] = {
    "database": ("url", *URL_PARTS, "Scheme", *_POOL),
    "ami": _AMI,
    "http": ("Ip", "Port", "Names"),
    "log": ("loglevel",),
    "worker": ("Name", "Lease_Seconds", "Poll_Seconds"),
}
_FILES = {"asterisk.json": "ami", "dbconfig.json": "database", "dialer.json": "log", "http.json": "http"}
# Not ours: the file's own place, what tests use, and what Kubernetes sets for a service called "dialer".
_FOREIGN = re.compile(r"DIALER_(CONFIG|TEST_.*|SERVICE_.*|PORT|PORT_.*)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")
_YES_OR_NO = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class Secret:
    """A text that nobody sees by accident: str, repr and format give '***', `reveal()` the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Given:
    """A value as somebody wrote it, and where."""

    value: object
    source: str
    from_environment: bool


class Reader:
    """What was given, by section and name in small letters, and every mistake met on the way.

    A wrong value is reported and replaced by the default, so that reading goes on.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._given: dict[str, dict[str, Given]] = {}
        self._asterisk_names: dict[str, str] = {}  # section in small letters -> the name as written
        self._place = "the settings"

    def wrong(self, name: str, fault: str, remedy: str) -> None:
        self.mistakes.append(Mistake(name, fault, remedy))

    def read_path(self, path: Path) -> bool:
        """False: nothing could be read."""
        self._place = str(path)
        if path.is_dir():
            return self._read_folder(path)
        try:
            document = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            remedy = "Give --config a TOML file or the folder with the four JSON files"
            self.wrong(str(path), f"cannot be read ({error.strerror})", f"{remedy}.")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.wrong(str(path), f"is not TOML ({_without_content(error)})", "Correct that line.")
        else:
            self._read_toml(document, path.name)
            return True
        return False

    def _read_folder(self, folder: Path) -> bool:
        present = [name for name in _FILES if (folder / name).is_file()]
        if not present:
            remedy = f"It must hold {', '.join(_FILES)}, or give --config a TOML file."
            self.wrong(str(folder), "has none of the four settings files", remedy)
        for name in present:
            try:
                document = json.loads((folder / name).read_text("utf-8-sig"))
            except OSError as error:
                self.wrong(str(folder / name), f"cannot be read ({error.strerror})", "Give the dialer the right to.")
                continue
            except ValueError as error:
                self.wrong(str(folder / name), f"is not JSON ({_without_content(error)})", "Correct that line.")
                continue
            if not isinstance(document, dict):
                remedy = 'It must be one object: {"Name": value, ...}.'
                self.wrong(str(folder / name), f"holds a {_kind(document)}", remedy)
                continue
            self._read_section(_FILES[name], document, "{key} in " + name)
        return bool(present)

    def _read_toml(self, document: dict[str, Any], file: str) -> None:
        for title, table in document.items():
            section = title.lower()
            if section == "loglevel" and not isinstance(table, dict):
                self._read_section("log", {title: table}, "{key} in " + file)
            elif section == "asterisk" and isinstance(table, dict):
                self._read_asterisks(table, file)
            elif section not in _KNOWN:
                hint = _nearest(title, (*_KNOWN, "asterisk.NAME"))
                self.wrong(f"[{title}] in {file}", "is not a section of the settings", hint)
            elif not isinstance(table, dict):
                remedy = f"Write [{section}] and the names below it."
                self.wrong(f"{title} in {file}", f"must be a table, not a {_kind(table)}", remedy)
            else:
                self._read_section(section, table, f"[{section}] {{key}} in {file}")

    def _read_asterisks(self, tables: dict[str, Any], file: str) -> None:
        for name, table in tables.items():
            where = f"[asterisk.{name}] in {file}"
            if not isinstance(table, dict):
                remedy = "The Asterisk 'default' is [ami]; name further ones, as in [asterisk.east]."
                self.wrong(f"[asterisk] {name} in {file}", "belongs to no Asterisk", remedy)
            elif name.lower() == DEFAULT_ASTERISK:
                self.wrong(where, "names the Asterisk 'default'", "Write [ami] for it.")
            elif not _NAME.match(name):
                remedy = "Use letters, digits, '-' and '_', 63 at most."
                self.wrong(where, f"{name!r} cannot be an Asterisk's name", remedy)
            else:
                section = asterisk_section(name)
                self._asterisk_names.setdefault(section, name)
                self._read_section(section, table, f"[asterisk.{name}] {{key}} in {file}")

    def _read_section(self, section: str, table: Mapping[str, object], source: str) -> None:
        values = self._given.setdefault(section, {})
        known = {name.lower(): name for name in self._known(section)}
        for name, value in table.items():
            where = source.replace("{key}", name)
            key = name.lower()
            if key not in known:
                self.wrong(where, "is not a setting", _nearest(name, known.values()))
            elif key in values:
                self.wrong(
                    where,
                    f"was given before as {values[key].source}",
                    "Capitals make no difference: keep one.",
                )
            else:
                values[key] = Given(value, where, from_environment=False)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        for variable, value in sorted(environ.items()):
            if not variable.startswith("DIALER_") or _FOREIGN.match(variable):
                continue
            target = self._target(variable.removeprefix("DIALER_").lower())
            if target is None:
                self.wrong(variable, "is not a setting", _nearest(variable, self._variables()))
                continue
            section, key = target
            self._given.setdefault(section, {})[key] = Given(value, variable, from_environment=True)

    def _target(self, rest: str) -> tuple[str, str] | None:
        """Section and name that a variable's name, without its prefix, stands for."""
        if rest == "loglevel":
            return "log", "loglevel"
        section, _, key = rest.partition("_")
        if section in _KNOWN:
            return (section, key) if key in map(str.lower, _KNOWN[section]) else None
        if section != "asterisk":
            return None
        for known in sorted(map(str.lower, _AMI), key=len, reverse=True):
            name = key.removesuffix(f"_{known}")
            if name != key and _NAME.match(name) and name != DEFAULT_ASTERISK:
                found = asterisk_section(name)
                self._asterisk_names.setdefault(found, name)
                return found, known
        return None

    @staticmethod
    def _known(section: str) -> tuple[str, ...]:
        return _AMI if section.startswith("asterisk.") else _KNOWN[section]

    @staticmethod
    def _variables() -> Iterator[str]:
        yield "DIALER_LOGLEVEL"
        for section, names in (*_KNOWN.items(), ("asterisk_NAME", _AMI)):
            yield from (f"DIALER_{section}_{name}".upper() for name in names)

    def asterisks(self) -> Iterator[tuple[str, str]]:
        """(section, name) of each Asterisk that something was said about, 'default' first."""
        if self.has("ami"):
            yield "ami", DEFAULT_ASTERISK
        yield from sorted(one for one in self._asterisk_names.items() if self.has(one[0]))

    def has(self, section: str) -> bool:
        return any(found.value != "" for found in self._given.get(section, {}).values())

    def given(self, section: str, name: str) -> Given | None:
        """None also for an empty text: a variable that is set to nothing is as good as not set."""
        found = self._given.get(section, {}).get(name.lower())
        return None if found is None or found.value == "" else found

    def source(self, section: str, name: str) -> str:
        found = self._given.get(section, {}).get(name.lower())
        return found.source if found else f"[{section}] {name}"

    def drop(self, section: str, name: str) -> None:
        self._given[section].pop(name.lower(), None)

    def required(self, section: str, name: str, fault: str = "") -> None:
        written = self._given.get(section, {}).get(name.lower())
        variable = f"DIALER_{section}_{name}".upper().replace(".", "_").replace("-", "_")
        fault = fault or ("is empty" if written else "is missing")
        self.wrong(self.source(section, name), fault, f"Set it in {self._place} or as {variable}.")

    def text(self, section: str, name: str, default: str | None, what: str = "text") -> str:
        """The text given; without one the default, or a mistake where that is None."""
        found = self.given(section, name)
        if found is None:
            if default is None:
                self.required(section, name)
            return default or ""
        if isinstance(found.value, bool) or not isinstance(found.value, str | int):
            self.wrong(found.source, f"must be {what}, not a {_kind(found.value)}", "Write it in quotes.")
            return default or ""
        if _CONTROL.search(str(found.value)):
            self.wrong(found.source, "holds a control character (a line end, perhaps)", "Remove it.")
            return default or ""
        return str(found.value)

    def secret(self, section: str, name: str, default: str | None) -> Secret:
        return Secret(self.text(section, name, default, what="the password as text"))

    def host(self, section: str, name: str, default: str | None) -> str:
        value = self.text(section, name, default).strip()
        if re.search(r"[\s/@?]", value.replace(", ", ",")) and not value.startswith("/"):
            shown = repr(value) if "@" not in value else "a url"  # with a password in it, perhaps
            remedy = "Give an IP address or a host name alone."
            self.wrong(self.source(section, name), f"{shown} is not a server", remedy)
        return value

    def integer(
        self, section: str, name: str, default: int, within: tuple[int, int], *, unit: str = "a whole number"
    ) -> int:
        return int(self.number(section, name, default, within, unit=unit, pattern=r"[+-]?[0-9]{1,12}"))

    def number(
        self,
        section: str,
        name: str,
        default: float,
        within: tuple[float, float],
        *,
        unit: str = "a number",
        pattern: str = r"[+-]?[0-9]{1,12}(\.[0-9]{1,9})?",
    ) -> float:
        """A number `within` two bounds, both allowed; as a number or, as the original had it, as text."""
        found = self.given(section, name)
        if found is None:
            return default
        remedy = f"Give {unit} from {within[0]} to {within[1]}."
        shown = str(found.value).strip()
        scalar = isinstance(found.value, str | int | float) and not isinstance(found.value, bool)
        if not scalar or not re.fullmatch(pattern, shown):
            self.wrong(found.source, f"{shown[:60]!r} is not {unit}", remedy)
            return default
        if not within[0] <= float(shown) <= within[1]:
            self.wrong(found.source, f"{shown} is out of range", remedy)
            return default
        return float(shown)

    def port(self, section: str, name: str, default: int) -> int:
        return self.integer(section, name, default, (1, 65535), unit="a port")

    def flag(self, section: str, name: str) -> bool:
        found = self.given(section, name)
        if found is None:
            return False
        value = _YES_OR_NO.get(str(found.value).strip().lower())
        if value is None:
            self.wrong(found.source, f"{str(found.value)[:60]!r} is neither true nor false", "Give true or false.")
        return bool(value)

    def names(self, section: str, name: str) -> tuple[str, ...]:
        """A list of host names, or a text with commas between them."""
        found = self.given(section, name)
        given: object = [] if found is None else found.value
        given = given.split(",") if isinstance(given, str) else given
        if not isinstance(given, list) or not all(isinstance(one, str) and _HOST.match(one.strip()) for one in given):
            remedy = 'Give names without port, such as ["dialer.example.com"].'
            self.wrong(self.source(section, name), f"{str(given)[:60]!r} is not a list of host names", remedy)
            return ()
        return tuple(one.strip() for one in given)

    def file(self, section: str, name: str) -> Path | None:
        value = self.text(section, name, "")
        if value and not Path(value).is_file():
            self.wrong(self.source(section, name), f"there is no file {value!r}", "Give the path of a PEM file.")
        return Path(value) if value else None


def asterisk_section(name: str) -> str:
    return f"asterisk.{name.lower().replace('-', '_')}"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    found = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    if found:
        return f"Did you mean {next(one for one in names if one.lower() == found[0])}?"
    shown = ", ".join(names) if len(names) < 20 else "what the documentation lists"
    return f"Known are {shown}."


def _kind(value: object) -> str:
    kinds = {
        dict: "table",
        list: "list",
        bool: "true or false",
        float: "number with a fraction",
        int: "number",
        str: "text",
    }
    return kinds.get(type(value), type(value).__name__)


def _without_content(error: Exception) -> str:
    """Where and why a file cannot be parsed, in few words."""
    return f"byte {error.start} is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
