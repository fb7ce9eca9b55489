"""SQL stands in sql/ and behind worker.db: nobody else writes a statement, or knows a column."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STATEMENT = re.compile(
    r"\s*(SELECT\s.*|WITH\s.*\sAS\s.*|INSERT\s+INTO\s.*|UPDATE\s+\S+\s+SET\s.*|DELETE\s+FROM\s.*|CALL\s+\w+\s*\(.*"
    r"|SHOW\s+\w+\s.*|SET\s+(SESSION|LOCAL|GLOBAL)\s.*|(CREATE|ALTER|DROP|TRUNCATE|LOCK|ANALYZE)\s+\w+.*)",
    re.DOTALL,
)
"""A text that is a statement from its beginning; in a sentence for people one may stand further on."""
TOLD = {"SELECT * FROM dialer_warnings; SELECT * FROM dialer_invariants;"}
"""What a person is told to type."""
ASKS = {"query", "call", "value", "execute", "exec_driver_sql", "text"}
"""Methods of Database and of a connection that take a statement or the name of a routine, and SQLAlchemy's text."""

SOURCES = sorted(
    path
    for part in ("api", "dialer", "simulator", "worker")
    for path in (ROOT / part).rglob("*.py")
    if ROOT / "worker" / "db" not in path.parents
)


def texts(tree: ast.AST) -> list[str]:
    """All texts, those with values in them too, but for docstrings."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
    ]


def found(source: str) -> list[str]:
    """What of SQL a module has: statements, and names of routines, tables and views that it asks."""
    tree = ast.parse(source)
    statements = [text for text in texts(tree) if STATEMENT.fullmatch(text) and text not in TOLD]
    asked = [
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in ASKS
        for argument in node.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and (STATEMENT.fullmatch(argument.value) or argument.value.startswith("dialer_"))
    ]
    return statements + asked


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_sql_outside_the_room_for_it(path: Path) -> None:
    assert found(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "rows = database.query('SELECT 1 AS one')",
        "x = '''\n    SELECT a\n    FROM b\n'''",
        "x = f'SELECT * FROM {table}'",
        "x = 'INSERT INTO dialer_params (project_id) VALUES (:p)'",
        "database.call('dialer_project_start', project)",
    ],
)
def test_what_is_sql_is_found(source: str) -> None:
    assert found(source)


def test_what_is_told_to_people_is_none() -> None:
    assert found("fault('x', 'Insert a row with that project_id into dialer_params, or see GET /projects.')") == []
