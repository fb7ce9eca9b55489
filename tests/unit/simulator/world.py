"""A switch on a virtual clock without sockets: what is emitted is kept, parsed."""

from __future__ import annotations

from collections.abc import Callable

from simulator import Scenario
from simulator.engine import Engine
from simulator.switch.calls import OriginateRequest
from simulator.switch.switch import Switch
from worker.clock import VirtualClock

START = 1_800_000_000.0


class World:
    """Runs a scenario in virtual time."""

    def __init__(self, scenario: Scenario, seed: int = 1, note: Callable[..., None] | None = None) -> None:
        self.clock = VirtualClock(START)
        self.engine = Engine(self.clock)
        self.clock.add_probe(self.engine.busy)
        self.events: list[dict[str, str]] = []
        self.switch = Switch(scenario, self.engine, seed, self._keep, note)
        self.engine.start()

    def _keep(self, kind: str, name: str, body: str) -> None:
        pairs = [line.partition(": ") for line in body.removesuffix("\r\n").split("\r\n")]
        fields = {key: value for key, _, value in pairs}
        assert len(fields) == len(pairs), "Asterisk never repeats a key"
        self.events.append({"Event": name, "Class": kind, "At": f"{self.clock.time() - START:.3f}", **fields})

    def call(
        self,
        number: str,
        *,
        context: str = "progressive",
        queue: str = "sales",
        timeout: float = 20.0,
        dial: str = "PJSIP/{}@carrier",
        channel_id: str = "",
        **variables: str,
    ) -> str:
        channel_id = channel_id or f"id-{number}"
        self.switch.originate(
            OriginateRequest(
                action_id=f"ActionID: o-{channel_id}\r\n",
                dial=dial.format(number),
                context=context,
                exten="s",
                timeout=timeout,
                number="74950000",
                person="Dialer",
                account="dialer",
                channel_id=channel_id,
                variables={"DIALER_QUEUE": queue, "DIALER_ATTEMPT": "1", **variables},
            )
        )
        return channel_id

    def run(self, seconds: float) -> None:
        self.clock.run_until(self.clock.time() + seconds)

    def of(self, name: str, **fields: str) -> list[dict[str, str]]:
        """The events of that name whose fields are as given."""
        return [e for e in self.events if e["Event"] == name and all(e.get(k) == v for k, v in fields.items())]

    def close(self) -> None:
        self.engine.stop()
