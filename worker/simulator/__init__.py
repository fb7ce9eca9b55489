"""A simulated Asterisk: an AMI server with subscribers, a trunk and queue agents drawn from a seed.

    clock = SystemClock()
    asterisk = SimulatedAsterisk(call_centre(agents=10), clock, seed=1)
    port = asterisk.serve()

It serves the demo, load tests, faults and dry runs. Modules: `scenario` (data), `behaviour` (the draws),
`events` (texts), `queues`, `switch` (the model), `engine` (time), `actions` (AMI), `asterisk` (sockets and
faults), `call_log` (a file for a second witness), `cli` (what `dialer simulate` calls).
"""

from worker.simulator.asterisk import SimulatedAsterisk
from worker.simulator.calls import SimCall, Statistics
from worker.simulator.scenario import (
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

__all__ = [
    "Agent",
    "Context",
    "Mix",
    "Queue",
    "Scenario",
    "ScenarioError",
    "SimCall",
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
