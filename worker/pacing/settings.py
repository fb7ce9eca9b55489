"""What a supervisor sets for a predictive project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PacingSettings:
    """abandon_target: share of the people who answer that may be abandoned, at most; the law's 3 per cent
    (16 CFR 310.4(b)(4)). abandon_seconds: after which a person without an agent counts as abandoned.
    ring_timeout: seconds. most_calls_per_agent: calls in flight for each agent, at most. least_agents: with fewer,
    progressive. ratio: calls for each free agent instead of all prediction (power dialling). amd: do answered calls go
    to AMD() first?
    """

    abandon_target: float = 0.03
    abandon_seconds: float = 2.0
    ring_timeout: float = 25.0
    most_calls_per_agent: float = 10.0
    least_agents: int = 1
    ratio: float | None = None
    amd: bool = False
