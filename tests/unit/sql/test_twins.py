"""Each routine stands in two files that promise the same; MariaDB's are written for 10.3."""

from __future__ import annotations

import re

import pytest

import sql

POSTGRESQL, MARIADB = "postgresql", "mariadb"

# What the other dialect does not need, and why.
ONLY = {
    POSTGRESQL: {
        "dialer_pick_text": "one query with LATERAL picks the fresh cases; MariaDB's dialer_pick_fresh takes steps",
    },
    MARIADB: {
        "dialer_pick_fresh": "see dialer_pick_text",
        "dialer_pick_windows": "a step of dialer_pick_fresh",
        "dialer_temporaries": "PostgreSQL has arrays, and functions that return rows",
        "dialer_gate_reasons": "a part of dialer_gate; PostgreSQL plans what is asked for alone",
        "dialer_hold_until": "a part of dialer_gate; PostgreSQL asks a function once",
        "dialer_hold_note": "a step of dialer_pick and dialer_screen; PostgreSQL has arrays",
        "dialer_hold": "a step of dialer_claim and dialer_screen; PostgreSQL writes SKIP LOCKED",
        "dialer_claim_take": "a step of dialer_claim; PostgreSQL writes SKIP LOCKED",
        "dialer_case_lock": "PostgreSQL writes SKIP LOCKED where it is needed",
        "dialer_wait": "PostgreSQL has LISTEN",
        "dialer_bent": "PostgreSQL refuses what a column cannot hold",
        "dialer_offset_written": "PostgreSQL understands an offset in an instant",
        "dialer_read_instant": "see dialer_offset_written",
    },
}
GIVEN_OTHERWISE = {
    "dialer_caller_id": {"p_rows", "p_uses", "p_last", "p_free"},
    "dialer_case_numbers_screen": {"p_cases"},
}
"""Arrays that PostgreSQL is given. MariaDB has none: there the rows stand in a temporary table of the caller."""
BOTH = sorted(set(sql.LIBRARY.names(POSTGRESQL)) - ONLY[POSTGRESQL].keys())


def test_the_two_folders_hold_the_same_routines() -> None:
    assert (
        set(sql.LIBRARY.names(POSTGRESQL)) - ONLY[POSTGRESQL].keys()
        == set(sql.LIBRARY.names(MARIADB)) - ONLY[MARIADB].keys()
    )
    for dialect, names in ONLY.items():
        assert names.keys() <= set(sql.LIBRARY.names(dialect))


def header(text: str) -> list[str]:
    """The comment at the top."""
    lines = text.splitlines()
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))]


def parameters(text: str) -> list[str]:
    """What must be given to a routine, in order; not what a MariaDB procedure hands out instead of returning it."""
    signature = re.search(r"^CREATE OR REPLACE (?:FUNCTION|PROCEDURE) \w+\((.*?)\)\n", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"(?<!OUT )\b(p_\w+) ", signature[1]) if signature else []


@pytest.mark.parametrize("name", BOTH)
def test_twins_have_the_same_header(name: str) -> None:
    assert header(sql.LIBRARY.text(MARIADB, name)) == header(sql.LIBRARY.text(POSTGRESQL, name))


@pytest.mark.parametrize("name", BOTH)
def test_twins_have_the_same_parameters_in_the_same_order(name: str) -> None:
    given = parameters(sql.LIBRARY.text(POSTGRESQL, name))
    expected = [one for one in given if one not in GIVEN_OTHERWISE.get(name, ())]
    if expected:
        assert parameters(sql.LIBRARY.text(MARIADB, name)) == expected


def test_the_tables_have_the_same_columns() -> None:
    def columns(dialect: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path in sorted((sql.ROOT / "schema" / dialect).glob("[0-9]*.sql")):
            for statement in sql.LIBRARY.schema(dialect, path.stem):
                table = re.search(r"^(?:CREATE|ALTER) TABLE (?:IF NOT EXISTS )?(\w+)", statement, re.MULTILINE)
                for gone in re.findall(r"^DROP TABLE (?:IF EXISTS )?(\w+)", statement, re.MULTILINE):
                    found.pop(gone, None)
                if table is None:
                    continue
                body = statement[table.end() :]
                types = "varchar|bool|int|big|tiny|numeric|decimal|timestamp|text|longtext|json"
                begins = r"^    |\bADD COLUMN (?:IF NOT EXISTS )?"
                names = re.findall(rf"(?:{begins})`?([a-z_]+)`? (?:{types})", body, re.M)
                found.setdefault(table[1], set()).update(names)
                found[table[1]] -= set(re.findall(r"\bDROP COLUMN (?:IF EXISTS )?(\w+)", body))
        return found

    ours, theirs = columns(POSTGRESQL), columns(MARIADB)
    assert theirs.keys() - ours.keys() == {"dialer_ownerships", "dialer_wakeups"}, "locks and NOTIFY, as tables"
    for table, names in ours.items():
        # The predicates of PostgreSQL's partial indexes.
        assert theirs[table] - {"waits_as", "waits_for"} == names, table


# --- nothing newer than 10.3 --------------------------------------------------------------------------------------

NEWER = {
    r"\bSKIP\s+LOCKED\b": "10.6",
    r"\bRETURNING\b": "10.5 for INSERT, and no UPDATE has it",
    r"\bJSON_TABLE\b": "10.6",
    r"\bJSON_(ARRAY|OBJECT)AGG\b": "10.5",
    r"\bJSON_(EQUALS|NORMALIZE|OVERLAPS|SCHEMA_VALID|KEY_VALUE)\b": "10.7 and later",
    r"\bLATERAL\b": "no MariaDB of that time",
    r"\bFETCH\s+(FIRST|NEXT)\b": "10.6",
    r"\b(UUID|INET4|INET6)\s*(,|NOT|NULL|DEFAULT|\))": "types of 10.5 and later",
    r"\b(NATURAL_SORT_KEY|SFORMAT|RANDOM_BYTES|TO_CHAR|SYS_GUID)\s*\(": "10.6 and later",
    r"\b(EXCEPT|INTERSECT)\s+(ALL|DISTINCT)\b": "10.5",
    r"\bDESC\s*[,)][^;]*\bKEY\b": "descending indexes: 10.8",
    r"\bIGNORED\b": "10.6",
    r"\bAS\s+(INT|INTEGER)\s*\)": "written SIGNED then",
    r"\b(INSTANT|ONLINE)\s+ALTER\b|\bALTER\s+ONLINE\b": "not needed, and not in every 10.3",
    r"\bWITHOUT\s+OVERLAPS\b|\bPERIOD\s+FOR\b": "10.5",
    r"\bPACKAGE\b": "11.4 in this mode",
    r"\bCREATE\s+OR\s+REPLACE\s+TEMPORARY\b": "its definition would be read anew by every statement of a routine",
}
FILES = [
    *((f"{name}.sql", sql.LIBRARY.text(MARIADB, name)) for name in sql.LIBRARY.names(MARIADB)),
    *((path.name, path.read_text("utf-8")) for path in (sql.ROOT / "schema" / MARIADB).glob("*.sql")),
]


def code(text: str) -> str:
    """Without comments; texts stay, since some of them are executed."""
    return re.sub(r"--[^\n]*", "", text)


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_nothing_is_newer_than_mariadb_10_3(name: str, text: str) -> None:
    for pattern, since in NEWER.items():
        found = re.search(pattern, code(text), re.IGNORECASE)
        assert found is None, f"{name}: {found[0]!r} ({since})"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FOR UPDATE SKIP LOCKED",
        "INSERT INTO t VALUES (1) RETURNING id",
        "FROM JSON_TABLE(x, '$')",
        "a UUID NOT NULL",
    ],
)
def test_the_lint_finds_what_it_looks_for(text: str) -> None:
    assert any(re.search(pattern, text, re.IGNORECASE) for pattern in NEWER)


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_no_value_is_set_by_a_subquery(name: str, text: str) -> None:
    """`SET x = (SELECT …)` locks the rows that it reads, even under READ COMMITTED; `SELECT … INTO x` does not."""
    assert not re.search(r"\bSET\s+v_\w+\s*=\s*\(\s*SELECT\b", code(text), re.IGNORECASE), name


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_who_commits_rolls_back_after_an_error_and_reads_what_is_committed(name: str, text: str) -> None:
    if "START TRANSACTION" in code(text):
        assert "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" in text, name
        assert "DECLARE EXIT HANDLER FOR SQLEXCEPTION" in text, name
        assert "RESIGNAL" in text, name
        assert text.index("START TRANSACTION") < text.rindex("COMMIT;"), name
