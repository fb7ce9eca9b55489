"""`switch`: each contract test runs against the simulated Asterisk and against the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator import SimulatedAsterisk
from tests.contract.switches import QUEUES, RING_SECONDS, Phone, Switch, scenario
from tests.support.containers import AsteriskContainer
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import PRESSERS, SPEAKERS, SUBSCRIBERS, Answer, Behaviours, Refuse, Ring
from worker.clock import SystemClock

Connect = Callable[..., Phone]


@contextmanager
def simulated_switch() -> Iterator[Switch]:
    asterisk = SimulatedAsterisk(scenario("secret", "lab secret"), SystemClock(), seed=7)
    port = asterisk.serve()

    def restart(wish: str) -> None:
        asterisk.restart("now" if wish == "now" else "graceful")

    try:
        yield Switch("simulated", port, "secret", "lab secret", restart)
    finally:
        asterisk.stop()


@contextmanager
def real_switch(directory: Path) -> Iterator[Switch]:
    queues = " ".join(f"{name}:{span[0]}-{span[1]}" if span else f"{name}:" for name, span in QUEUES.items())
    unlike: Behaviours = {
        "agent4@": Answer(ring_ms=(300,)),
        "agent5@": Ring(),
        "agent6@": Refuse(486),
    }
    with (
        AsteriskContainer(queues=queues, agents=8, ring_seconds=RING_SECONDS) as asterisk,
        Carrier(asterisk.carrier_port, directory, {**SUBSCRIBERS, **SPEAKERS, **PRESSERS}),
        Agents(asterisk.agents_port, directory, unlike),
    ):
        yield Switch(
            "real",
            asterisk.ami_port,
            asterisk.secret,
            asterisk.lab_secret,
            lambda wish: asterisk.command(f"core restart {wish}", check=False),
            lambda module: asterisk.command(f"module load {module}", check=False),
        )


@pytest.fixture(scope="session")
def _simulated() -> Iterator[Switch]:
    with simulated_switch() as made:
        yield made


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory, _no_leftovers: None) -> Iterator[Switch]:
    with real_switch(tmp_path_factory.mktemp("sipp")) as made:
        yield made


_KINDS = ["simulated", pytest.param("real", marks=pytest.mark.docker)]


@pytest.fixture(params=_KINDS)
def switch(request: pytest.FixtureRequest) -> Switch:
    """A switch of each kind in turn, shared by all tests of the run. Tests leave no call behind."""
    made: Switch = request.getfixturevalue(f"_{request.param}")
    return made


@pytest.fixture(params=_KINDS)
def own_switch(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Switch]:
    """A switch of the test's own, for what it would not survive."""
    if request.param == "simulated":
        with simulated_switch() as made:
            yield made
    else:
        request.getfixturevalue("_no_leftovers")
        with real_switch(tmp_path) as made:
            yield made


@pytest.fixture
def connect() -> Iterator[Callable[[Switch], Phone]]:
    """Opens AMI sessions that are closed at the end of the test."""
    phones: list[Phone] = []

    def make(switch: Switch, *, lab: bool = False) -> Phone:
        phone = switch.connect(lab=lab)
        phones.append(phone)
        return phone

    yield make
    for phone in phones:
        phone.close()
