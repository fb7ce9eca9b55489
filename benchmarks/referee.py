"""Predictive pacing behind the interface of a simulator of dialling that is not part of the project.

That simulator asks `decide(obs)` once a second and tells `on_event(t, kind, value)` in between, as its own docstring
describes. Only what Asterisk would tell as well is used.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # the simulator loads this file by its path
    sys.path.insert(0, str(ROOT))

from worker.pacing.learned import Learned  # noqa: E402
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window  # noqa: E402
from worker.pacing.predictive import decide  # noqa: E402
from worker.pacing.settings import PacingSettings  # noqa: E402


class Predictive:
    """One project, one day."""

    def __init__(self, cfg: dict[str, Any]) -> None:
        self.settings = PacingSettings(
            abandon_target=cfg["limit"],
            abandon_seconds=cfg["patience"],
            ring_timeout=cfg["timeout"],
            most_calls_per_agent=1000.0,
            amd=bool(cfg.get("amd")),
        )
        self.learned = Learned(self.settings)
        self.horizon = cfg["horizon"]

    def on_event(self, t: float, kind: str, value: float) -> None:
        learned = self.learned
        if kind == "live":
            learned.observe_answered(value)
        elif kind == "fail":
            learned.observe_failed(value)
        elif kind == "talk_end":
            learned.observe_talk(value)
        elif kind == "wrap_end":
            learned.observe_wrap_up(value)
        elif kind in ("connect", "abandon"):
            learned.observe_end(abandoned=kind == "abandon")

    def decide(self, obs: Any) -> int:
        agents = [ObservedAgent("talking", seconds) for seconds in obs.talk.tolist()]
        agents += [ObservedAgent("wrap-up", seconds) for seconds in obs.wrap.tolist()]
        agents += [ObservedAgent("free")] * obs.idle
        calls = [ObservedCall(age) for age in obs.ring.tolist()]
        calls += [ObservedCall(age, under_amd=True) for age in obs.amd.tolist()]
        window = Window(obs.n_live, obs.n_abandoned, self.horizon - obs.now)
        observation = Observation(obs.now, agents, calls, obs.waiting, [window])
        self.learned.observe(observation)
        decision = decide(observation, self.learned, self.settings)
        self.learned.observe_begun(decision.quota, decision.threshold, decision.risk)
        return decision.quota
