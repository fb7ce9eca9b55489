"""Starts the change of an SQL routine: `make rework name=dialer_claim`.

Keeps the installed text as `dialer_claim@<revision>.sql` (the last revision that installed it) in each dialect's
folder, and writes a small migration that installs the live file and, downwards, the kept one. What is left to do
is to edit the live files; the diff that a reviewer then sees is the change itself.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from worker.errors import DialerError

ROOT = Path(__file__).resolve().parents[1]

_MIGRATION = '''"""Rework {name}."""

from __future__ import annotations

from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.install_routine("{name}", revision)


def downgrade() -> None:
    op.install_routine("{name}", "{installed}")
'''


class ReworkError(DialerError):
    """The routine cannot be reworked; the message says why."""


@dataclass(frozen=True)
class Reworked:
    """What was written."""

    migration: Path
    kept: tuple[Path, ...]
    live: tuple[Path, ...]


def rework(name: str, root: Path = ROOT) -> Reworked:
    """Write the kept texts and the migration under `root`. Raises ReworkError, and then nothing is written."""
    live = sorted((root / "sql" / "procedures").glob(f"*/{name}.sql"))
    if not live or "@" in name:
        names = {path.stem for path in (root / "sql" / "procedures").glob("*/*.sql") if "@" not in path.stem}
        last_word = name.rpartition("_")[2]
        near = sorted(one for one in names if last_word and last_word in one)[:5]
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ReworkError(f"There is no routine {name!r} in sql/procedures.{hint}")
    versions = root / "alembic" / "versions"
    head = _head(versions)
    installed = _installed_by(versions, name)
    if installed is None:
        raise ReworkError(f"No migration installs {name!r} yet: add it to a migration of its own.")
    kept = tuple(path.with_name(f"{name}@{installed}.sql") for path in live)
    for path in kept:
        if path.exists():
            raise ReworkError(f"{path.name} exists already: {name} is being reworked; edit the live files.")
    revision = f"{int(head) + 1:04}"
    migration = versions / f"{revision}_rework_{name.removeprefix('dialer_')}.py"
    for source, target in zip(live, kept, strict=True):
        target.write_bytes(source.read_bytes())
    migration.write_text(
        _MIGRATION.format(name=name, revision=revision, down_revision=head, installed=installed),
        encoding="utf-8",
    )
    return Reworked(migration, kept, tuple(live))


def _revisions(versions: Path) -> list[tuple[str, Path]]:
    found = []
    for path in versions.glob("*.py"):
        match = re.search(r'^revision = "([0-9]+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
        if match:
            found.append((match[1], path))
    return sorted(found)


def _head(versions: Path) -> str:
    found = _revisions(versions)
    if not found:
        raise ReworkError(f"There is no migration in {versions.name}: this is not the project's tree.")
    return found[-1][0]


def _installed_by(versions: Path, name: str) -> str | None:
    """The last revision whose text names the routine: as an item of a list or an argument of install_routine."""
    for revision, path in reversed(_revisions(versions)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Constant) and node.value == name for node in ast.walk(tree)):
            return revision
    return None


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="make rework", description="Start the change of an SQL routine.")
    parser.add_argument("name", help="the routine, like dialer_claim")
    try:
        done = rework(parser.parse_args(arguments).name)
    except ReworkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for path in (done.migration, *done.kept):
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    sys.stdout.write("now edit " + ", ".join(str(path.relative_to(ROOT)) for path in done.live) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
