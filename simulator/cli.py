"""`dialer simulate`: a simulated Asterisk as a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import gevent
from gevent.event import Event

from simulator.scenario import LAB_PREFIXES, Scenario, User, call_centre, load
from simulator.switch.asterisk import SimulatedAsterisk
from worker.clock import SystemClock
from worker.errors import DialerError

SECRET_VARIABLE = "DIALER_SIMULATOR_SECRET"  # noqa: S105 - a name


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    options = argparse.ArgumentParser(
        prog="dialer simulate",
        description="Play an Asterisk with subscribers, a trunk and queue agents. The trunk is PJSIP/…@carrier, "
        "the AMI user `dialer`, the contexts `progressive`, `predictive` and `autoinforming`.",
    )
    options.add_argument("--host", default="127.0.0.1", help="address of the AMI port (default %(default)s)")
    options.add_argument("--port", type=int, default=5038, help="AMI port, 0: any free one (default %(default)s)")
    options.add_argument("--agents", type=int, default=10, help="members of each queue (default %(default)s)")
    options.add_argument("--queues", default="sales", help="names with commas between (default %(default)s)")
    options.add_argument(
        "--answer-rate", type=float, default=0.45, help="share of calls that are answered (default %(default)s)"
    )
    options.add_argument(
        "--machines", type=float, default=0.0, help="share of the answered calls that machines take (default: none)"
    )
    options.add_argument("--wrap-up", type=int, default=5, help="seconds of rest after a call (default %(default)s)")
    options.add_argument("--lines", type=int, default=0, help="channels of the trunk, 0: no limit (default)")
    options.add_argument("--speed", type=float, default=1.0, help="people are that many times as quick as in life")
    options.add_argument("--seed", type=int, default=1, help="another seed, other people (default %(default)s)")
    options.add_argument(
        "--secret", help=f"of the AMI user (default: ${SECRET_VARIABLE}, else {User.secret!r})", metavar="TEXT"
    )
    options.add_argument(
        "--lab", action="store_true", help="numbers beginning with 20…35 do what the test carrier's table says"
    )
    options.add_argument(
        "--scenario", type=Path, metavar="FILE", help="a TOML file in place of the options from --agents to --speed"
    )
    options.add_argument(
        "--call-log", type=Path, metavar="FILE", help="add a JSON line to it for each step of each call"
    )
    options.add_argument("--report", type=float, default=10.0, metavar="SECONDS", help="a line every so often; 0: none")
    return options


def scenario_of(options: argparse.Namespace) -> Scenario:
    """What the options ask for; ScenarioError names a wrong one."""
    secret = options.secret or os.environ.get(SECRET_VARIABLE, "")
    if options.scenario is not None:
        scenario = load(options.scenario)
        if secret:
            users = tuple(replace(user, secret=secret) if user.name == "dialer" else user for user in scenario.users)
            scenario = replace(scenario, users=users)
        return scenario
    scenario = call_centre(
        agents=options.agents,
        queues=tuple(name.strip() for name in options.queues.split(",") if name.strip()),
        answer_rate=options.answer_rate,
        machines=options.machines,
        secret=secret or User.secret,
        wrapuptime=options.wrap_up,
        max_channels=options.lines,
        speed=options.speed,
    )
    if options.lab:
        scenario = replace(scenario, subscribers=replace(scenario.subscribers, prefixes=LAB_PREFIXES))
    return scenario


def run(arguments: Sequence[str], stop: Event | None = None) -> int:
    """Serve until a signal, or until `stop` is set; the exit code."""
    options = parser().parse_args(arguments)
    asterisk = SimulatedAsterisk(scenario_of(options), SystemClock(), options.seed, options.call_log)
    asterisk.keep_log = False  # it runs for days
    try:
        port = asterisk.serve(options.host, options.port)
    except OSError as error:
        raise DialerError(
            f"The AMI port {options.host}:{options.port} cannot be opened ({error.strerror or error}); "
            "choose another with --port, 0 for any free one."
        ) from error
    if stop is None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, stop.set)
    _say(f"Simulated Asterisk 16.28: AMI on {options.host}:{port}, seed {options.seed}.")
    while not stop.wait(options.report or None):
        _say(_report(asterisk))
    asterisk.stop()
    _say(_report(asterisk))
    return 0


def _report(asterisk: SimulatedAsterisk) -> str:
    n = asterisk.statistics
    return (
        f"{n.originated} originated, {n.answered} answered, {n.connected} with an agent, {n.abandoned} abandoned, "
        f"{n.played} messages heard, {n.channels} channels up, {len(asterisk.sessions)} AMI sessions"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
