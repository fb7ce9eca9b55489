"""The channels of one simulated Asterisk: their names, who is on them, and their events. No timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from simulator.switch.calls import Offer, SwitchCall
from simulator.switch.events import Channel, hangup
from worker.clock import Clock

Emit = Callable[[str, str, str], None]  # class, event name, body
Note = Callable[..., None]
"""Called with each step of each call, and each start: (what, instant, **facts). See call_log."""


@dataclass(slots=True)
class Statistics:
    """What has happened since the start."""

    originated: int = 0
    without_channel: int = 0
    ringing: int = 0
    answered: int = 0
    queued: int = 0
    connected: int = 0
    abandoned: int = 0
    let_go: int = 0  # of them, by the queue: they hear the safe-harbour message, or are hung up on
    played: int = 0
    opted_out: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    channels: int = 0
    channels_peak: int = 0
    events: int = 0
    causes: dict[int, int] = field(default_factory=dict)


class Channels:
    """Every channel there is. Counters in `statistics` continue after a restart; everything else is cleared."""

    def __init__(self, clock: Clock, emit: Emit, note: Note | None) -> None:
        self._clock = clock
        self._emit = emit
        self._note = note
        self.statistics = Statistics()
        self.clear()

    def clear(self) -> None:
        """As Asterisk starts: no channels."""
        self.calls: dict[str, SwitchCall] = {}  # by uniqueid
        self.offers: dict[str, Offer] = {}
        self._by_name: dict[str, SwitchCall | Offer] = {}
        self._sequence = 0
        self._names: dict[str, int] = {}
        self.statistics.channels = 0

    def open(self, prefix: str, uniqueid: str, linkedid: str, *, context: str, exten: str, suffix: str = "") -> Channel:
        """A new channel. The number in its name counts per technology, the uniqueid per channel."""
        tech = prefix.partition("/")[0]
        count = self._names.get(tech, 0)
        if suffix != ";2":
            self._names[tech] = count + 1
        else:
            count -= 1
        uniqueid = uniqueid or self.next_uniqueid()
        self._sequence += 1
        statistics = self.statistics
        statistics.channels += 1
        statistics.channels_peak = max(statistics.channels_peak, statistics.channels)
        name = f"{prefix}-{count:08x}{suffix}"
        return Channel(name, uniqueid, linkedid or uniqueid, context=context, exten=exten, born=self._clock.time())

    def next_uniqueid(self) -> str:
        """The name that a channel opened now would get."""
        return f"{int(self._clock.time())}.{self._sequence}"

    def add_call(self, call: SwitchCall) -> None:
        """Its channel can be found from now on."""
        self.calls[call.channel.uniqueid] = self._by_name[call.channel.name.lower()] = call

    def add_other(self, call: SwitchCall, other: Channel) -> None:
        """The second half of a Local channel leads to the same call."""
        call.other = other
        self._by_name[other.name.lower()] = call

    def add_offer(self, offer: Offer) -> None:
        """An agent's leg can be found from now on."""
        self.offers[offer.channel.uniqueid] = self._by_name[offer.channel.name.lower()] = offer

    def emit(self, kind: str, name: str, body: str) -> None:
        """Send an event to all AMI sessions that may read its class."""
        self.statistics.events += 1
        self._emit(kind, name, body)

    def hangup(self, channel: Channel, cause: int) -> None:
        """Remove this channel. The owners of what was on it forget it themselves."""
        self.statistics.channels -= 1
        self._by_name.pop(channel.name.lower(), None)
        self.emit("call", "Hangup", channel.block() + hangup(cause))

    def find(self, name: str) -> SwitchCall | Offer | None:
        """By channel name (any case, as Asterisk) or by uniqueid."""
        return self.calls.get(name) or self.offers.get(name) or self._by_name.get(name.lower())

    def listed(self) -> Iterator[tuple[Channel, str, str, str]]:
        """Each channel with application, its data and the bridge's id."""
        for call in self.calls.values():
            if call.over:
                continue
            bridge = _bridge(call) if call.offer and call.offer.connected is not None else ""
            if call.up:
                yield call.channel, call.application, call.data, bridge
            else:
                yield call.channel, "AppDial2", "(Outgoing Line)", ""
            if call.other is not None:
                yield call.other, "", "", ""
            if call.offer is not None:
                yield call.offer.channel, "AppQueue", "(Outgoing Line)", bridge

    def note(self, what: str, at: float, **facts: object) -> None:
        """For the log, if there is one."""
        if self._note is not None:
            self._note(what, at, **facts)

    def note_step(self, call: SwitchCall, what: str, at: float, **facts: object) -> None:
        """A step of a call, for the log."""
        self.note(what, at, call=call.channel.uniqueid, **facts)


def _bridge(call: SwitchCall) -> str:
    digits = blake2b(call.channel.uniqueid.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
