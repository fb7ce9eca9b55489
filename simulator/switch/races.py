"""The races of Asterisk's threads, as weighted orders of their events.

Letters: N Newchannel, R Newstate Ringing, S DialState, U Newstate Up, D DialEnd, O OriginateResponse,
Q QueueCallerJoin, A AgentConnect, H Hangup (h: of the agent's leg), L QueueCallerLeave, B QueueCallerAbandon and L,
M QueueMemberStatus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Weighted = Sequence[tuple[float, str]]


def shares(counts: Mapping[str, int]) -> Weighted:
    """Cumulated shares of the orders, from how often each was seen."""
    total, sum_ = sum(counts.values()), 0
    shares = []
    for order, count in counts.items():
        sum_ += count
        shares.append((sum_ / total, order))
    return shares


def pick(orders: Weighted, u: float) -> str:
    """The order that `u`, uniform in 0 to 1, falls upon."""
    for share, order in orders:
        if u < share:
            return order
    return orders[-1][1]
