"""What people wrote as settings, and where: a TOML file or the original's folder of JSON files, overridden by
variables.

config.py says which names there are, and which values are accepted; this module does not care about values.
"""

from __future__ import annotations

import difflib
import errno
import json
import re
import tomllib
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from worker.errors import Mistake

Place = tuple[str, str]  # section and name, such as ("database", "DB_Server") or ("asterisk.east", "Ip")

_FILES = {"asterisk.json": "ami", "dbconfig.json": "database", "dialer.json": "log", "http.json": "http"}
# Not settings: where the file is, what tests use, and what Kubernetes sets for a service called "dialer".
_FOREIGN = re.compile(r"DIALER_(CONFIG|TEST_.*|SERVICE_.*|PORT|PORT_.*)")
_DEFAULT = "default"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


@dataclass(frozen=True)
class Unreadable:
    """The value of a setting whose file cannot be read; a mistake only if that setting is needed."""

    path: Path
    reason: str


class Given(NamedTuple):
    """A value as somebody wrote it, and where: for messages."""

    value: object
    source: str


class Sources:
    """What was given, and every mistake met on the way."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        """`names`: those of the settings, by section; further Asterisks have those of [ami]."""
        self.mistakes: list[Mistake] = []
        self.file: dict[Place, Given] = {}
        self.environment: dict[Place, Given] = {}
        self.given = ChainMap(self.environment, self.file)
        self.asterisks = {"ami": _DEFAULT}
        """Section -> the Asterisk's name as written; not every section need have settings."""
        self._names = names
        self._path = "the settings"

    def wrong(self, name: str, fault: str, remedy: str) -> None:
        self.mistakes.append(Mistake(name, fault, remedy))

    def missing(self, place: Place, fault: str = "") -> None:
        """Report that a setting is needed."""
        fault = fault or ("is empty" if place in self.given else "is missing")
        self.wrong(self.source(place), fault, f"Set it in {self._path} or as {_variable(*place)}.")

    def source(self, place: Place) -> str:
        """Where it was given or, if it was not, where it could be."""
        return self.given[place].source if place in self.given else f"[{place[0]}] {place[1]}"

    def section(self, section: str) -> dict[str, Any]:
        """Values by name; an empty text counts as not given."""
        return {name: one.value for (of, name), one in self.given.items() if of == section and one.value != ""}

    def read_path(self, path: Path) -> bool:
        """A TOML file, or a folder of the original's files. False: nothing could be read."""
        self._path = str(path)
        if not path.is_dir():
            document = self._parse(path, "TOML", tomllib.loads)
            self._read_toml(document or {}, path.name)
            return document is not None
        present = [name for name in _FILES if (path / name).is_file()]
        if not present:
            remedy = f"It must hold {', '.join(_FILES)}, or give --config a TOML file."
            self.wrong(str(path), "has none of the four settings files", remedy)
        for name in present:
            document = self._parse(path / name, "JSON", json.loads)
            self._read_table(_FILES[name], document or {}, "{key} in " + name)
        return bool(present)

    def _parse(self, path: Path, language: str, loads: Callable[[str], Any]) -> dict[str, Any] | None:
        try:
            document = loads(_read(path, "utf-8-sig"))
        except OSError as error:
            remedy = (
                "Give --config a TOML file or the folder with the four JSON files, and the dialer the right to read."
            )
            self.wrong(str(path), f"cannot be read ({error.strerror})", remedy)
        except RecursionError:
            self.wrong(str(path), f"is not {language} (its brackets are nested too deeply)", "Correct that.")
        except ValueError as error:
            # A UnicodeDecodeError would show the file's contents.
            reason = f"byte {error.start} is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            self.wrong(str(path), f"is not {language} ({reason})", "Correct that line.")
        else:
            if isinstance(document, dict):
                return document
            self.wrong(str(path), f"holds a {kind_of(document)}", 'It must be one object: {"Name": value, ...}.')
        return None

    def _read_toml(self, document: dict[str, Any], file: str) -> None:
        for title, table in document.items():
            section = title.lower()
            if section == "loglevel" and not isinstance(table, dict):
                self._read_table("log", {title: table}, "{key} in " + file)
            elif section == "asterisk" and isinstance(table, dict):
                for name, one in table.items():
                    self._read_asterisk(name, one, file)
            elif section not in self._names:
                hint = _nearest(title, (*self._names, "asterisk.NAME"))
                self.wrong(f"[{title}] in {file}", "is not a section of the settings", hint)
            elif not isinstance(table, dict):
                remedy = f"Write [{section}] and the names below it."
                self.wrong(f"{title} in {file}", f"must be a table, not a {kind_of(table)}", remedy)
            else:
                self._read_table(section, table, f"[{section}] {{key}} in {file}")

    def _read_asterisk(self, name: str, table: object, file: str) -> None:
        if not isinstance(table, dict):
            remedy = "The Asterisk 'default' is [ami]; name further ones, as in [asterisk.east]."
            self.wrong(f"[asterisk] {name} in {file}", "belongs to no Asterisk", remedy)
        elif name.lower() == _DEFAULT or not re.fullmatch(_NAME, name):
            remedy = "Write [ami] for 'default'; other names have letters, digits, '-' and '_', 63 at most."
            self.wrong(f"[asterisk.{name}] in {file}", "is no name for a further Asterisk", remedy)
        else:
            self._read_table(self._asterisk(name), table, f"[asterisk.{name}] {{key}} in {file}")

    def _asterisk(self, name: str) -> str:
        """The section of an Asterisk, named so that variables can spell it, too: in lower case, with '_' for '-'."""
        section = f"asterisk.{name.lower().replace('-', '_')}"
        self.asterisks.setdefault(section, name)
        return section

    def _read_table(self, section: str, table: Mapping[str, object], source: str) -> None:
        known = self._names["ami" if section in self.asterisks else section]
        names = {name.lower(): name for name in known}
        for written, value in table.items():
            where = source.replace("{key}", written)
            place = (section, names.get(written.lower(), ""))
            if not place[1]:
                self.wrong(where, "is not a setting", _nearest(written, known))
            elif place in self.file:
                remedy = "Capitals make no difference: keep one."
                self.wrong(where, f"was given before as {self.source(place)}", remedy)
            else:
                self.file[place] = Given(value, where)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """DIALER_SECTION_NAME, and DIALER_SECTION_NAME_FILE for the path of a file that holds the value, as the secrets
        of Docker and Kubernetes are."""
        places = {_variable(section, name): (section, name) for section, names in self._names.items() for name in names}
        places["DIALER_LOGLEVEL"] = ("log", "loglevel")
        for variable, value in sorted(environ.items()):
            if not variable.startswith("DIALER_") or _FOREIGN.fullmatch(variable):
                continue
            stem = variable.removesuffix("_FILE")
            place = places.get(stem.upper()) or self._place_of_asterisk(stem)
            if place is None:
                of_asterisks = (_variable("asterisk_NAME", name) for name in self._names["ami"])
                self.wrong(variable, "is not a setting", _nearest(variable, (*places, *of_asterisks)))
            elif stem == variable:
                self.environment[place] = Given(value, variable)
            elif value and environ.get(stem):
                self.wrong(variable, f"stands beside {stem}", "Give one of them.")
            elif value:
                self.environment[place] = Given(_content(Path(value)), variable)

    def _place_of_asterisk(self, variable: str) -> Place | None:
        names = {name.upper(): name for name in self._names["ami"]}
        found = re.fullmatch(f"DIALER_ASTERISK_({_NAME})_({'|'.join(names)})", variable, re.IGNORECASE)
        if found is None or found[1].lower() == _DEFAULT:
            return None
        return self._asterisk(found[1].lower()), names[found[2].upper()]


def _read(path: Path, encoding: str) -> str:
    """Of a file or a pipe; a device may never end."""
    if path.is_char_device() or path.is_block_device():
        raise OSError(errno.ENODEV, "it is a device")
    return path.read_text(encoding)


def _content(path: Path) -> str | Unreadable:
    try:
        return _read(path, "utf-8").rstrip("\r\n")
    except OSError as error:
        return Unreadable(path, str(error.strerror))
    except UnicodeDecodeError:
        return Unreadable(path, "it is not UTF-8")


def _variable(section: str, name: str) -> str:
    return f"DIALER_{section}_{name}".upper().replace(".", "_")


def _nearest(name: str, known: Iterable[str]) -> str:
    names = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), names, n=1)
    if found:
        return f"Did you mean {names[found[0]]}?"
    return f"Known are {', '.join(names.values()) if len(names) < 20 else 'what the documentation lists'}."


def kind_of(value: object) -> str:
    """What people call a value of this type."""
    kinds = {dict: "table", list: "list", bool: "true or false", float: "number with a fraction", int: "number"}
    return kinds.get(type(value), "text" if isinstance(value, str) else type(value).__name__)
