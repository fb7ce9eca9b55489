"""The parts of `dialer import` that need no database: its options, its pace, and the file of refused lines."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dialer.imports import ListNotImported, Pace, RefusedFile, pairs, policies
from tests.unit.dialer.test_cli import NOWHERE, dialer
from worker.figures import RefusedLine
from worker.model import Policies


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ([], ("refuse", "refuse", "keep")),
        (["skip"], ("skip", "skip", "keep")),
        (["file=keep"], ("keep", "refuse", "keep")),
        (["skip,elsewhere=refuse"], ("skip", "skip", "refuse")),
        (["file=skip", "project=keep"], ("skip", "keep", "keep")),
    ],
)
def test_what_is_done_with_duplicates(told: list[str], meant: tuple[str, str, str]) -> None:
    assert policies(told) == Policies(*meant)


@pytest.mark.parametrize("told", ["drop", "files=skip", "file=drop", "=skip"])
def test_another_policy_is_told(told: str) -> None:
    with pytest.raises(ListNotImported, match=r"write one of keep, skip, refuse.*file, project, elsewhere"):
        policies([told])


def test_pairs_are_read_at_the_equals_sign_that_is_meant() -> None:
    assert pairs(["a=b=phone_number"], "--map") == {"a=b": "phone_number"}
    assert pairs(["case_name=a=b"], "--set") == {"case_name": "a=b"}
    with pytest.raises(ListNotImported, match="--map phone: write COLUMN=WHAT"):
        pairs(["phone"], "--map")


def paced(*seconds_a_row: float, most: int = 5000) -> tuple[list[int], list[float]]:
    """The sizes of chunks, and the pauses, of a server that takes so long for a row."""
    pauses: list[float] = []
    pace = Pace(most, sleep=pauses.append)
    sizes = []
    for each in seconds_a_row:
        sizes.append(pace.rows)
        pace.took(pace.rows, pace.rows * each)
    return [*sizes, pace.rows], pauses


def test_chunks_take_a_quarter_of_a_second_and_stay_within_limits() -> None:
    assert paced(0.000_02, 0.000_02, 0.000_02, 0.000_02)[0] == [1000, 2000, 4000, 5000, 5000]
    assert paced(0.000_5)[0] == [1000, 500]
    assert paced(0.01)[0] == [1000, 100]
    assert paced(0.01, 0.000_01, 0.000_01)[0] == [1000, 100, 200, 400]
    assert paced(0.01, most=7)[0] == [7, 7]


def test_a_server_that_has_become_slow_gets_a_pause() -> None:
    assert paced(0.000_05, 0.000_06, 0.000_1)[1] == []
    assert paced(0.000_05, 0.000_2)[1] == [pytest.approx(0.4)]
    assert paced(0.000_05, 0.1)[1] == [1.0]


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def refused(line: int) -> RefusedLine:
    return RefusedLine(line, False, f"why {line}")


def test_refused_lines_are_kept_with_their_commit(tmp_path: Path) -> None:
    path = tmp_path / "list.refused.csv"
    path.write_text("of the last time")
    with RefusedFile(path, ["phone"], ",", keep_to=-1) as file:
        assert not path.exists()
        file.cells = {2: ["=x"], 3: ["y"], 4: ["z"]}
        file.draft([refused(2), RefusedLine(3, True, "skipped")])
        file.draft([refused(2)])  # the transaction was tried again
        file.keep()
        file.draft([refused(3), refused(4)])
        file.draft([refused(4)])
        file.keep()
        file.draft([refused(3)])
    assert rows(path) == [
        ["refused_line", "refused_reason", "phone"],
        ["2", "why 2", "'=x"],
        ["4", "why 4", "z"],
    ]


def test_who_resumes_takes_back_what_was_not_committed(tmp_path: Path) -> None:
    path = tmp_path / "list.refused.csv"
    dying = RefusedFile(path, ["phone"], ",", keep_to=-1)
    dying.cells = {2: ["x"], 9: ["y"]}
    dying.draft([refused(2)])
    dying.keep()
    dying.draft([refused(9)])
    dying.__exit__(RuntimeError)
    assert [row[0] for row in rows(path)] == ["refused_line", "2", "9"]
    with path.open("a") as torn:
        torn.write('10,"why')
    with RefusedFile(path, ["phone"], ",", keep_to=5) as file:
        file.cells = {9: ["y"]}
        file.draft([refused(9)])
        file.keep()
    assert [row[0] for row in rows(path)] == ["refused_line", "2", "9"]


def test_without_refused_lines_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "list.refused.csv"
    with RefusedFile(path, ["phone"], ",", keep_to=-1) as file:
        file.draft([])
        file.draft([RefusedLine(2, True, "skipped")])
        file.keep()
    assert not path.exists()


def test_what_is_missing_in_the_command_is_told() -> None:
    done = dialer("import", "list.csv", DIALER_DATABASE_URL=NOWHERE)
    assert (done.returncode, done.stderr) == (
        1,
        "dialer: Say which list, and which project: dialer import FILE --project ID.\n",
    )
    assert dialer("import", "a.csv", "--undo", "1", "--resume", DIALER_DATABASE_URL=NOWHERE).returncode == 2
    assert "--dry-run" in dialer("import", "--help").stdout
