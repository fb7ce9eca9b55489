"""A history that goes on behind the program's own, with every kind of change: in a copy of alembic/ and sql/, made the
way `make rework` makes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.rework import ROOT, rework
from sql import DIALECTS, Library
from worker.db.migration import head


@dataclass
class History:
    """The copy, and what stood at each of its revisions while that one was the newest."""

    root: Path
    revisions: list[str]
    """From the program's own head on."""
    stood: dict[str, dict[str, dict[str, str]]]
    """Revision, dialect, name: the text."""

    @property
    def scripts(self) -> Path:
        """What the program has as alembic/."""
        return self.root / "alembic"

    @property
    def library(self) -> Library:
        """What the program has as sql/."""
        return Library(self.root / "sql")

    def revision(self, name: str) -> str:
        """The one that is called so."""
        (found,) = (path.stem[:4] for path in (self.scripts / "versions").glob(f"*_{name}.py"))
        return found

    def schema_file(self, dialect: str, name: str) -> Path:
        """sql/schema/<dialect>/<name>.sql."""
        return self.root / "sql" / "schema" / dialect / f"{name}.sql"


def make(root: Path) -> History:
    """The whole history, under `root`."""
    for folder in ("sql", "alembic"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    history = History(root, [], {})
    _note(history, head())
    for name, step in STEPS.items():
        step(history, name)
        _note(history, history.revision(name))
    return history


def _note(history: History, revision: str) -> None:
    history.revisions.append(revision)
    library = history.library
    history.stood[revision] = {
        dialect: {name: library.text(dialect, name) for name in library.names(dialect)} for dialect in DIALECTS
    }


def _replace(history: History, dialect: str, name: str, old: str, new: str) -> None:
    path = history.library.path(dialect, name)
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (dialect, name, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def _write(history: History, room: str, name: str, texts: dict[str, str]) -> None:
    for dialect, text in texts.items():
        path = history.root / "sql" / "procedures" / dialect / room / f"{name}.sql"
        path.write_text(text, encoding="utf-8")


def _tables(history: History, name: str, up: dict[str, str], down: dict[str, str]) -> None:
    for dialect in DIALECTS:
        text = f"{up[dialect]}\n-- Down:\n{down[dialect]}"
        history.schema_file(dialect, history.revision(name)).write_text(text, encoding="utf-8")


def _both(text: str) -> dict[str, str]:
    return dict.fromkeys(DIALECTS, text)


def _new(history: History, name: str) -> None:
    """A function, a routine with rows, a view that uses ours and the function, and a table."""
    added = ["projects/dialer_made_up", "projects/dialer_made_up_list", "statistics/dialer_made_up_view"]
    rework(name, adds=added, tables=True, root=history.root)
    _tables(
        history,
        name,
        _both("CREATE TABLE IF NOT EXISTS dialer_made_up_rows (id int PRIMARY KEY);\n"),
        _both("DROP TABLE IF EXISTS dialer_made_up_rows;\n"),
    )
    _write(
        history,
        "projects",
        "dialer_made_up",
        {
            "postgresql": "-- dialer_made_up(p_number) -> number\n"
            "CREATE OR REPLACE FUNCTION dialer_made_up(p_number int) RETURNS int\n"
            "LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$ SELECT p_number + 1 $$\n",
            "mariadb": "-- dialer_made_up(p_number) -> number\n"
            "CREATE OR REPLACE FUNCTION dialer_made_up(p_number int) RETURNS int\nDETERMINISTIC NO SQL\n"
            "RETURN p_number + 1\n",
        },
    )
    _write(history, "projects", "dialer_made_up_list", _list("1 AS first", "first int"))
    view = "-- dialer_made_up_view\nCREATE OR REPLACE VIEW dialer_made_up_view AS\nSELECT r.project_id,"
    view += " dialer_made_up(1) AS one, (SELECT count(*) FROM dialer_made_up_rows) AS n\nFROM dialer_rules r\n"
    _write(history, "statistics", "dialer_made_up_view", _both(view))


def _list(columns: str, returns: str) -> dict[str, str]:
    return {
        "postgresql": "-- dialer_made_up_list() -> rows\n"
        f"CREATE OR REPLACE FUNCTION dialer_made_up_list()\nRETURNS TABLE ({returns})\nLANGUAGE sql STABLE\n"
        f"SET search_path FROM CURRENT AS $$ SELECT {columns} $$\n",
        "mariadb": "-- dialer_made_up_list() -> rows\n"
        f"CREATE OR REPLACE PROCEDURE dialer_made_up_list()\nNO SQL\nSELECT {columns}\n",
    }


def _other_results(history: History, name: str) -> None:
    rework(name, changes=["dialer_made_up_list"], root=history.root)
    _write(history, "projects", "dialer_made_up_list", _list("'a' AS word, 1 AS first", "word text, first int"))


def _other_signature(history: History, name: str) -> None:
    rework(name, changes=["dialer_made_up", "dialer_made_up_view"], root=history.root)
    for dialect in DIALECTS:
        _replace(history, dialect, "dialer_made_up", "(p_number int)", "(p_more int, p_number int)")
        _replace(history, dialect, "dialer_made_up_view", "dialer_made_up(1)", "dialer_made_up(2, 1)")


def _more_columns(history: History, name: str) -> None:
    """A checked column of dialer_params, which comes first in a view that many others use."""
    rework(name, changes=["dialer_params_before_write", "dialer_rules"], tables=True, root=history.root)
    _tables(
        history,
        name,
        {
            "postgresql": "ALTER TABLE dialer_params ADD COLUMN made_up int NOT NULL DEFAULT 5;\n",
            "mariadb": "ALTER TABLE dialer_params ADD COLUMN IF NOT EXISTS made_up int NOT NULL DEFAULT 5 INVISIBLE;\n",
        },
        {
            "postgresql": "ALTER TABLE dialer_params DROP COLUMN made_up;\n",
            "mariadb": "ALTER TABLE dialer_params DROP COLUMN IF EXISTS made_up;\n",
        },
    )
    for dialect, call in (("postgresql", "PERFORM"), ("mariadb", "CALL")):
        check = (
            "\nBEGIN\n    IF NEW.made_up < 1 THEN\n"
            f"        {call} dialer_refuse('dialer_params.made_up', 'too few', 'write 1 or more');\n    END IF;\n"
        )
        _replace(history, dialect, "dialer_params_before_write", "\nBEGIN\n", check)
        _replace(history, dialect, "dialer_rules", "\nSELECT\n", "\nSELECT\n    made_up,\n")


def _fewer_columns(history: History, name: str) -> None:
    """As it was before the last one."""
    changed = ["dialer_params_before_write", "dialer_rules"]
    rework(name, changes=changed, tables=True, root=history.root)
    last = history.revisions[-1]
    ways: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for dialect in DIALECTS:
        for one in changed:
            kept = history.library.kept(dialect)[one][last]
            history.library.path(dialect, one).write_text(kept.read_text("utf-8"), encoding="utf-8")
        for down, texts in ways.items():
            statements = history.library.schema(dialect, last, down=down)
            texts[dialect] = "".join(f"{statement};\n" for statement in statements)
    _tables(history, name, ways[True], ways[False])


def _other_trigger(history: History, name: str) -> None:
    rework(name, changes=["dialer_trunks_after_write"], root=history.root)
    for dialect, old, new in (
        ("postgresql", "\nAFTER INSERT OR UPDATE", "\nAFTER DELETE OR INSERT OR UPDATE"),
        ("mariadb", "_write AFTER INSERT OR UPDATE", "_write AFTER INSERT OR UPDATE OR DELETE"),
    ):
        _replace(history, dialect, "dialer_trunks_after_write", old, new)


def _gone(history: History, name: str) -> None:
    """What 0001 has brought and what this history has."""
    rework(name, removes=["dialer_pacing_load", "dialer_stat_outcome", "dialer_made_up_view"], root=history.root)


def _other_seed(history: History, name: str) -> None:
    rework(name, tables=True, root=history.root)
    change = "UPDATE dialer_settings SET value = '{}' WHERE name = 'journal_hours' AND value = '{}';\n"
    _tables(history, name, _both(change.format(96, 48)), _both(change.format(48, 96)))


STEPS: dict[str, Callable[[History, str], None]] = {
    "new": _new,
    "other_results": _other_results,
    "other_signature": _other_signature,
    "more_columns": _more_columns,
    "fewer_columns": _fewer_columns,
    "other_trigger": _other_trigger,
    "gone": _gone,
    "other_seed": _other_seed,
}
