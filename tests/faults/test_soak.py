"""The soak under pytest, in `make test-faults`: a short one and one of 10,000 calls on each database, and a control run
without fences, which the same judge must catch."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.hands import HANDS
from tests.faults.soak import DOUBTS, KINDS, schedule, soak
from tests.faults.soak_world import DATABASES, LEASE_SECONDS

SEED = 1
FULL_SEED = random.randrange(1_000_000)
"""Another one each time: it is printed, and `python -m tests.faults.soak --seed` plays it again."""


def say(text: str) -> None:
    print(text, flush=True)


@pytest.mark.full
@pytest.mark.docker
@pytest.mark.timeout(400)
@pytest.mark.parametrize("database", DATABASES)
def test_a_thousand_calls_among_faults(database: str, tmp_path: Path) -> None:
    report = soak(database, SEED, 1000, tmp_path, least_blows=5, say=say)
    print(report)
    assert report.verdict.calls >= 1000
    assert report.blows.total() >= 5
    assert not report.verdict.complaints, report


@pytest.mark.full
@pytest.mark.docker
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("database", DATABASES)
def test_ten_thousand_calls_among_faults(database: str, tmp_path: Path) -> None:
    say(f"seed {FULL_SEED}; again: python -m tests.faults.soak --seed {FULL_SEED} --database {database}")
    report = soak(database, FULL_SEED, 10_000, tmp_path, say=say)
    print(report)
    assert report.verdict.calls >= 10_000
    assert len(report.blows) == len(KINDS), "every kind of fault fell"
    assert not report.verdict.complaints, f"seed {FULL_SEED}: {report}"


@pytest.mark.full
@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", DATABASES)
def test_a_dba_moves_the_cases_while_they_are_called(database: str, tmp_path: Path) -> None:
    kinds = (*HANDS, "worker killed", "AMI cut")
    report = soak(database, SEED, 3000, tmp_path, least_blows=30, kinds=kinds, say=say)
    print(report)
    assert report.blows.keys() >= HANDS.keys()
    assert not report.verdict.complaints, report


@pytest.mark.full
@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", DATABASES)
def test_without_fences_the_same_judge_complains(database: str, tmp_path: Path) -> None:
    report = soak(database, SEED, 400, tmp_path, least_blows=6, fenced=False, kinds=DOUBTS, say=say)
    print(report)
    kinds = {complaint.kind for complaint in report.verdict.complaints}
    # Not merely late or untidy: people were rung of whom the ledger says otherwise.
    assert kinds & {"two_at_once", "unsent_but_rung", "rung_after_its_end", "wrong_outcome"}, report


def test_a_seed_gives_the_same_schedule_again() -> None:
    assert list(islice(schedule(7), 50)) == list(islice(schedule(7), 50))
    assert list(islice(schedule(7), 50)) != list(islice(schedule(8), 50))


def test_the_schedule_has_faults_of_every_kind_every_few_seconds() -> None:
    blows = list(islice(schedule(3), 400))
    assert {blow.kind for blow in blows[: len(KINDS)]} == set(KINDS)
    assert all(2 <= blow.gap <= 5 for blow in blows)
    frozen = [blow.seconds for blow in blows if blow.kind == "worker frozen past its lease"]
    assert min(frozen) > LEASE_SECONDS
