"""Imports point one way, and the documented life of an attempt is the one in the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.schema_texts import newest
from worker.model import ENDINGS, TRANSITIONS, Outcome, State, Step, reached

ROOT = Path(__file__).parents[2]


def test_imports_point_one_way() -> None:
    # In a process of its own: the linter silences all loggers that exist.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def diagram() -> str:
    """The states as a Mermaid diagram."""
    lines = ["stateDiagram-v2", "    [*] --> begun: dialer_attempt_begin"]
    lines += [f"    {one.source} --> {one.target}: {one.mover}" for one in TRANSITIONS]
    for state, outcomes in ENDINGS.items():
        names = ", ".join(outcome for outcome in Outcome if outcome in outcomes)
        lines.append(f"    {state} --> ended: {names}")
    return "\n".join([*lines, "    ended --> [*]"])


def test_documented_life_of_an_attempt_is_the_one_in_the_code() -> None:
    text = (ROOT / "docs" / "attempt.md").read_text("utf-8")
    found = re.search(r"```mermaid\n(.*?)\n?```", text, re.DOTALL)
    assert found is not None, "docs/attempt.md has no mermaid diagram"
    assert found[1] == diagram(), f"put this into docs/attempt.md:\n{diagram()}"


def test_every_state_is_reached_and_left_and_the_end_is_the_end() -> None:
    living = set(State) - {State.ENDED}
    assert {one.target for one in TRANSITIONS} | {State.BEGUN} == living
    assert ENDINGS.keys() == living
    assert set().union(*ENDINGS.values()) == set(Outcome)
    order = list(State).index
    assert all(order(one.source) < order(one.target) for one in TRANSITIONS)


def test_states_are_those_of_the_table() -> None:
    found = newest("postgresql", r"state varchar NOT NULL DEFAULT 'begun'\s+CHECK \(state IN \((.*?)\)\)")
    assert re.findall(r"'(\w+)'", found[1]) == list(State)
    found = newest("postgresql", r"INSERT INTO dialer_outcomes [^;]*? VALUES(.*?);")
    assert re.findall(r"^\s+\('(\w+)'", found[1], re.MULTILINE) == list(Outcome)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (set(), State.BEGUN),
        ({Step.DIALING}, State.DIALING),
        ({Step.RINGING}, State.RINGING),
        ({Step.ANSWERED, Step.DIALING}, State.ANSWERED),
        ({Step.ANSWERED, Step.PLAYED}, State.ANSWERED),
        ({Step.WAITING, Step.RINGING}, State.WAITING),
        ({Step.AGENT, Step.WAITING}, State.CONNECTED),
    ],
)
def test_state_is_the_furthest_step(steps: set[Step], state: State) -> None:
    assert reached(steps) is state
