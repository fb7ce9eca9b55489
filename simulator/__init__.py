"""A simulated Asterisk: an AMI server with subscribers, a trunk and queue agents drawn from a seed.

    clock = SystemClock()
    asterisk = SimulatedAsterisk(call_centre(agents=10), clock, seed=1)
    port = asterisk.serve()

It serves the demo, load tests, faults and dry runs. Modules: `scenario` (data), `people` (the draws), `engine` (time),
`switch` (Asterisk itself: `calls`, `events` and `switch` are the model, `actions` speaks AMI, `asterisk` has the
sockets and faults), `call_log` (a file for a second witness), `day` (a day of dialling without any Asterisk), `cases`
and `policies` (the cases a day calls, and what paces it), `cli` (the command `dialer simulate`).
"""

from simulator.call_log import LoggedCall
from simulator.scenario import (
    Agent,
    Context,
    Mix,
    Queue,
    Scenario,
    ScenarioError,
    Spread,
    Subscribers,
    Trunk,
    User,
    call_centre,
    lab,
    load,
)
from simulator.switch.asterisk import SimulatedAsterisk
from simulator.switch.channels import Statistics

__all__ = [
    "Agent",
    "Context",
    "LoggedCall",
    "Mix",
    "Queue",
    "Scenario",
    "ScenarioError",
    "SimulatedAsterisk",
    "Spread",
    "Statistics",
    "Subscribers",
    "Trunk",
    "User",
    "call_centre",
    "lab",
    "load",
]
