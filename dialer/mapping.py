"""Which column of a list means what, and its rows as lines for the database.

Only what needs no database is decided here: what a column is called, how a telephone number or an instant is written.
Whether a value is good is for the database to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import chain, count
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialer.tables import Row, Shield, TableError
from worker.model import ListLine

FIELDS = "fields"
NOWHERE = "-"
NAMES: dict[str, tuple[str, ...]] = {
    "phone_number": ("phone_number", "phone", "telephone", "tel", "number", "msisdn", "phonenumber", "mobile"),
    "case_name": ("case_name", "name", "full_name", "fullname", "customer", "contact"),
    "utc": ("utc", "timezone", "time_zone", "tz"),
    "priority": ("priority", "prio"),
    "allowed_start": ("allowed_start",),
    "allowed_stop": ("allowed_stop",),
    "call_back": ("call_back", "callback", "recall"),
    "call_back_period": ("call_back_period", "callback_period", "recall_period"),
    "deferred_time": ("deferred_time", "scheduled_at"),
    "region": ("region",),
    FIELDS: (FIELDS,),
}
"""By column of a case: what it may be called in a list. Of several that are there the first one is taken."""
TARGETS = tuple(NAMES)
PHONES = ("phone_number", *(f"phone_number_{place}" for place in range(2, 10)))
"""What the columns with a case's telephone numbers mean, in the order of dialling."""
REFUSED = ("refused_line", "refused_reason")
"""What stands before the columns of a file of refused lines."""
_EXPORTED = {"id", "project_id", "phone_number", "used"}
"""A list with all of these is an export of cases."""
_OF_EXPORTS = {
    *("id", "project_id", "used", "created", "deferred_done", "number", "import_id", "held_for", "held_until"),
    *("number_region", "zones"),
}
"""Its columns that say nothing of a case that begins anew."""

_VAGUE = "number"
"""As a name it says too little to be dialled beside another column: it may be the customer's, or the house's."""
_PHONE = re.compile(rf"({'|'.join(one for one in NAMES['phone_number'] if one != _VAGUE)})(?:_?([1-9]))?|({_VAGUE})")

_quoted = json.encoder.encode_basestring
"""A text as JSON writes it; a third of the time of json.dumps."""
_TRUE = {"1", "true", "t", "yes", "y", "on"}
_FALSE = {"0", "false", "f", "no", "n", "off"}
_WRAPPING = dict.fromkeys(
    map(ord, " \t\xa0\u2007\u2009\u202f\u200b\u200e\u200f\u202a\u202c\ufeff-\u2010\u2011\u2012\u2013\u2014\u2212()[]./")
)
_DECIMAL = re.compile(r"(\+?[0-9]+)\.0{1,2}")
_ODD = re.compile(r"[.=(:]")
_AS_TEXT = re.compile(r'="(.*)"')
_TRUNK_ZERO = re.compile(r"(\+.*)\(0\)")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T]+(\d\d?:\d\d(?::\d\d(?:\.\d{1,6})?)?))? *(Z|z|[+-]\d\d(?::?\d\d)?)?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")


@dataclass
class Columns:
    """Which column means what."""

    header: list[str]
    by_target: dict[str, int]
    """The place of the column for each column of a case, and for each of PHONES."""
    extra: dict[int, str]
    """Columns that are kept in `fields`, by place, and under which name."""
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    zero_codes: Collection[str] = ()
    """Country codes after which a 0 is dialled inside the country alone: +49 0221 is +49 221."""
    cleaned: int = 0
    """How many telephone numbers were written otherwise, so far."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of a case that its lines have values for."""
        found = {*self.by_target, *self.constants, *([FIELDS] if self.extra else [])}
        return tuple(name for name in TARGETS if name in found)

    def told(self) -> str:
        """Which column means what, for people."""
        told = [f"{self.header[place]} → {target}" for target, place in self.by_target.items()]
        if self.extra:
            told.append(f"{', '.join(self.extra.values())} → {FIELDS}")
        told += [f"{target} = {value}" for target, value in self.constants.items()]
        if "deferred_time" in self.targets:
            told.append(f"instants without an offset by {zone_name(self.zone)}")
        taken = {*self.by_target.values(), *self.extra}
        if out := [name for place, name in enumerate(self.header) if place not in taken]:
            told.append(f"left out: {', '.join(out)}")
        return "; ".join(told)

    def lines(self, rows: Iterable[Row]) -> Iterator[ListLine]:
        """The rows as lines for the database."""
        width = len(self.header)
        read = [self._reader(target) for target in self.targets]
        further = [self._reader(target) for target in PHONES[1:] if target in self.by_target]
        first = self.targets.index(PHONES[0])
        for line, cells in rows:
            missing = width - len(cells)
            row = [*cells, *[""] * missing] if missing > 0 else cells
            fault = self._fault(row) if missing < 0 or "\0" in "".join(row) else None
            values: list[str | None] = []
            phones: list[str] = []
            if fault is None:
                try:
                    values = [one(row) for one in read]
                except ValueError as error:
                    fault, values = str(error), []
            if values and further:
                found = [values[first], *[one(row) for one in further]]
                phones = list(dict.fromkeys([phone for phone in found if phone]))
                values[first] = phones[0] if phones else values[first]
            yield ListLine(line, tuple(values), fault, cells, further=phones[1:])

    def _fault(self, row: Sequence[str]) -> str | None:
        width = len(self.header)
        if any(row[width:]):
            return (
                f"the line has {len(row)} cells and the header {width}: look for a separator inside a text, and put"
                " that text into quotation marks"
            )
        return "the line has a NUL character: save the file as text" if "\0" in "".join(row) else None

    def _reader(self, target: str) -> Callable[[Sequence[str]], str | None]:
        """What a column of the case is in a row; the function raises ValueError with a sentence."""
        place, constant = self.by_target.get(target), self.constants.get(target) or None
        if target == FIELDS:
            names = [(at, f"{_quoted(name)}: ") for at, name in self.extra.items()]
            return lambda row: self._fields(row, place, names)
        convert: Callable[[str], str] | None = {
            **dict.fromkeys(PHONES, self._number),
            "call_back": _boolean,
            "priority": lambda text: _DECIMAL.sub(r"\1", text),
            "deferred_time": lambda text: instant(text, self.zone),
        }.get(target)
        if place is None:
            return lambda row: convert(constant) if convert and constant else constant

        def read(row: Sequence[str]) -> str | None:
            text = row[place].strip()
            if text[:1] == "'":
                text = Shield.off(text)
            found = text or constant
            return convert(found) if convert and found else found or None

        return read

    def _number(self, text: str) -> str:
        cleaned = clean_number(text)
        if cleaned.startswith("+") and "0" in cleaned[2:5]:
            # No country code begins with another one.
            for end in range(2, 5):
                if cleaned[end : end + 1] == "0" and cleaned[1:end] in self.zero_codes:
                    cleaned = cleaned[:end] + cleaned[end + 1 :]
                    break
        self.cleaned += cleaned != text
        return cleaned

    def _fields(self, row: Sequence[str], place: int | None, names: Sequence[tuple[int, str]]) -> str | None:
        given = row[place].strip() if place is not None else ""
        found = []
        for at, name in names:
            if text := row[at].strip():
                found.append(name + _quoted(Shield.off(text) if text[0] == "'" else text))
        if given:
            known, written = None, ""
            try:
                known = json.loads(given)
                written = json.dumps(known, ensure_ascii=False, allow_nan=False)
                written.encode()  # half a character is no text
            except (ValueError, RecursionError):
                known = None
            if not isinstance(known, dict):
                raise ValueError(f"dialer_clients.fields is '{_shown(given)}': write a JSON object, or nothing")
            if "\\u0000" in written:
                raise ValueError(f"dialer_clients.fields is '{_shown(given)}': leave the NUL character out")
            if known:
                found.insert(0, written[1:-1])
        return f"{{{', '.join(found)}}}" if found else None


def columns(
    header: Sequence[str],
    told: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    zone: tzinfo = UTC,
    zero_codes: Collection[str] = (),
) -> Columns:
    """Find out which column means what. told: column to what it means, one of TARGETS, PHONES or NOWHERE. constants:
    what a column of a case is where a line says nothing of it. Raises TableError."""
    names = _names(header)
    told, constants = told or {}, constants or {}
    for name, target in told.items():
        if target not in {*TARGETS, *PHONES, NOWHERE}:
            raise TableError(
                f"--map {name}={target}: write one of {', '.join(TARGETS)}, {PHONES[1]} to {PHONES[-1]} for further"
                " numbers, or - to leave it out."
            )
        if name not in names:
            raise TableError(f"--map {name}={target}: there is no such column, only {', '.join(names)}.")
    for target in constants:
        if target not in TARGETS or target == FIELDS:
            raise TableError(f"--set {target}: write one of {', '.join(TARGETS[:-1])}.")
    by_target: dict[str, int] = {}
    for name, target in told.items():
        if target in by_target:
            raise TableError(f"--map {name}={target}: another column is that already.")
        if target not in {FIELDS, NOWHERE}:
            by_target[target] = names.index(name)
    free = {_plain(name): place for place, name in reversed(list(enumerate(names))) if name not in told}
    left = (target for target in PHONES if target not in by_target)
    by_target |= dict(zip(left, _phones(names, told), strict=False))
    for target, called in NAMES.items():
        if target not in PHONES and target not in by_target:
            place = next((free[one] for one in called if one in free), None)
            if place is not None:
                by_target[target] = place
    if "phone_number" not in by_target:
        raise TableError(
            f"None of the columns {', '.join(names)} is called like a telephone number"
            f" ({', '.join(NAMES['phone_number'])}): say which it is, --map COLUMN=phone_number."
        )
    taken = set(by_target.values())
    plain = set(map(_plain, names))
    out = {*REFUSED, *(_OF_EXPORTS if plain >= _EXPORTED else ())}
    extra = {
        place: name
        for place, name in enumerate(names)
        if place not in taken and told.get(name, NOWHERE if _plain(name) in out else FIELDS) != NOWHERE
    }
    ordered = {target: by_target[target] for target in (*PHONES, *TARGETS[1:]) if target in by_target}
    return Columns(names, ordered, extra, dict(constants), zone, zero_codes)


def _phones(names: Sequence[str], told: Mapping[str, str]) -> list[int]:
    """The places of the columns that are called like a telephone number, in the order of dialling: phone, then mobile,
    then phone_2. Those of which was told what they mean are left out."""
    order = NAMES[PHONES[0]]
    found = []
    for place, name in enumerate(names):
        if name not in told and (called := _PHONE.fullmatch(_plain(name))):
            found.append((int(called[2] or 1), order.index(called[1] or called[3]), place))
    found.sort()
    first = None if PHONES[0] in told.values() else found[:1]
    return [one[2] for one in found if order[one[1]] != _VAGUE or [one] == first]


def looks_like_data(header: Sequence[str]) -> bool:
    """Is one of these a telephone number, and not the name of a column?"""
    return any(re.fullmatch(r"\+?[0-9]{6,}", clean_number(cell)) for cell in header)


def clean_number(text: str) -> str:
    """A telephone number without what people put between its digits, and without what spreadsheets do to it."""
    if not _ODD.search(text):
        return text.translate(_WRAPPING)
    if wrapped := _AS_TEXT.fullmatch(text):
        text = wrapped[1]
    if decimal := _DECIMAL.fullmatch(text):
        return decimal[1]
    text = re.sub(r"^tel:", "", text, flags=re.IGNORECASE)
    text = _TRUNK_ZERO.sub(r"\1", text)  # +49 (0)30: the 0 is dialled inside the country alone
    return text.translate(_WRAPPING)


def instant(text: str, zone: tzinfo) -> str:
    """An instant as people write it, by UTC. zone: of those without an offset. Raises ValueError with a sentence."""
    found = _INSTANT.fullmatch(text)
    if found is not None:
        day, clock, offset = found.groups()
        try:
            hours, _, rest = (clock or "00:00").partition(":")
            at = datetime.fromisoformat(f"{day} {hours:0>2}:{rest}")
            at = at.replace(tzinfo=_offset(offset) if offset else zone).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            return f"{at.year:04}-{at:%m-%d %H:%M:%S}"
    raise ValueError(
        f"dialer_clients.deferred_time is '{_shown(text)}': write an instant like 2026-11-24 09:00, by the clock of the"
        " list's zone or with an offset like +03:00"
    )


def _boolean(text: str) -> str:
    plain = text.lower()
    return "1" if plain in _TRUE else "0" if plain in _FALSE else text


def zone_of(name: str) -> tzinfo:
    """An IANA zone or an offset like +03:00 or +3. Raises TableError."""
    if found := re.fullmatch(r"([+-])(\d\d?)(?:[:.](\d\d)h?)?", name):
        return _offset(f"{found[1]}{found[2]:0>2}:{found[3] or '00'}")
    try:
        return UTC if name in {"Z", "z"} else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TableError(f"--zone {name}: write an IANA zone like Europe/Moscow, or an offset like +03:00.") from error


def zone_name(zone: tzinfo) -> str:
    """A zone as people call it."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def _offset(text: str) -> tzinfo:
    found = _OFFSET.fullmatch(text)
    if found is None:
        return UTC
    east = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(-east if found[1] == "-" else east)


def _shown(text: str) -> str:
    """A value as dialer_refusal shows it."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda one: f"\\{ord(one[0]):04X}", text[:100])


def _plain(name: str) -> str:
    """A column's name as NAMES has it."""
    return re.sub(r"[\s.\-]+", "_", name.strip().lower())


def _names(header: Sequence[str]) -> list[str]:
    """The names of the columns: each has one of its own."""
    names: list[str] = []
    cut = len(header)
    while cut and not header[cut - 1].strip():
        cut -= 1
    for place, cell in enumerate(header[:cut], 1):
        name = cell.strip().replace("\0", "") or f"column {place}"
        same = (f"{name} {again}" for again in count(2))
        names.append(next(one for one in chain([name], same) if one not in names))
    return names
