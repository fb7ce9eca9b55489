"""What the pages tell a reader to type: the fenced blocks, and commands and statements within the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

SHELL, SQL, TOML = "sh", "sql", "toml"
DIALECTS = {"postgresql", "mariadb"}
NOT_TYPED = {"mermaid", "ini", "text", "json", "python"}
"""Languages of blocks that are to be looked at, or that go into the files of a server."""

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_STATEMENT = re.compile(
    r"SELECT .+ FROM .+|INSERT INTO .+|UPDATE .+ SET .+|DELETE FROM .+|SET .+=.+|SET SESSION .+|RESET .+|CALL .+\(.*\)"
    r"|GRANT .+ TO .+|(CREATE|ALTER|DROP) (TABLE|USER|ROLE|SCHEMA|DATABASE) .+",
)
_COMMAND = re.compile(
    r"([A-Z_]+=\S+ )*(dialer|make|curl|python3?|pip|docker|psql|pg_\w+|mariadb(-dump)?|\w+[_-]tzinfo\S+) \S"
)
_NAME = re.compile(r"dialer (run|worker|api|simulate|demo)")
"""A command that goes on for ever, named within a sentence: to be typed it stands in a block, or has options."""
_FORM = re.compile(r"…|(?<![\w=])[A-Z]{1,12}(?![\w=])")
"""In a command: a word in capitals stands for what the reader knows."""


@dataclass(frozen=True)
class Typed:
    """One thing to type: the text, what it is (SHELL, SQL, TOML), for which database (None: either), and where."""

    text: str
    kind: str
    dialect: str | None
    page: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def typed(page: Path) -> list[Typed]:
    """All that a page has its reader type, in order."""
    text = page.read_text("utf-8")
    found: list[tuple[int, Typed]] = []

    def add(at: int, what: str, kind: str, dialect: str | None) -> None:
        name, line = page.relative_to(ROOT).as_posix(), text.count("\n", 0, at) + 1
        found.append((at, Typed(what, kind, dialect, name, line)))

    for match in _FENCE.finditer(text):
        indent, language, body = match.groups()
        body = re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
        if language in NOT_TYPED:
            continue
        if language == TOML:
            add(match.start(), body, TOML, None)
        elif language == SHELL:
            for command in commands(body):
                add(match.start(), command, SHELL, _owner(command))
        elif language == SQL or language in DIALECTS:
            for statement in statements(body):
                add(match.start(), statement, SQL, None if language == SQL else language)
        else:
            raise ValueError(f"{page.name} has a block of {language or 'no language'}: {body[:80]}")
    plain = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _INLINE.finditer(plain):
        what = " ".join(match[1].split())
        if _STATEMENT.fullmatch(what) and "…" not in what:
            add(match.start(), what, SQL, _dialect(what))
        elif _COMMAND.match(what) and not _FORM.search(what) and not _NAME.fullmatch(what):
            add(match.start(), what, SHELL, _owner(what))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def section(page: Path, title: str) -> list[Typed]:
    """What is typed in one section of a page."""
    text = page.read_text("utf-8")
    found = re.search(rf"^##+ {re.escape(title)}\n", text, re.MULTILINE)
    assert found, f"{page.name} has no section {title!r}"
    first = text.count("\n", 0, found.start()) + 1
    last = first + re.split(r"\n##+ ", text[found.end() :])[0].count("\n") + 1
    return [what for what in typed(page) if first <= what.line <= last]


def table(page: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of all tables of a page with these columns, each cell as it is written."""
    found = []
    heading: list[str] = []
    for line in [*page.read_text("utf-8").splitlines(), ""]:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] if line.startswith("|") else []
        if not cells:
            heading = []
        elif not heading:
            heading = cells
        elif heading == list(columns) and not set(line) <= set("|- "):
            found.append(dict(zip(columns, cells, strict=True)))
    assert found, f"{page.name} has no table {columns}"
    return found


def names(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def commands(block: str) -> list[str]:
    """The commands of a shell block, without comments."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    return [command for line in lines if (command := re.sub(r"(^|\s+)# .*$", "", line).strip())]


def statements(block: str) -> list[str]:
    """The statements of an SQL block, without comments."""
    text = re.sub(r"--.*$", "", block, flags=re.MULTILINE)
    return [" ".join(one.split()) for one in text.split(";") if one.strip()]


def _owner(command: str) -> str | None:
    """Whose program this is."""
    if command.startswith(("pg_", "psql")):
        return "postgresql"
    return "mariadb" if command.startswith("mariadb") else None


def _dialect(statement: str) -> str | None:
    if re.match(r"CALL |SET (@|GLOBAL|SESSION)|.*innodb|SHOW ", statement):
        return "mariadb"
    if re.match(r"(RE)?SET dialer\.|SELECT \* FROM (nc\.)?dialer_next\(", statement):
        return "postgresql"
    return None
