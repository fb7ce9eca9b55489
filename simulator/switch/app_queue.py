"""app_queue at work: callers wait, agents' telephones ring, agents talk, wrap up and pause.

`calls` has the data of queues, members and callers; the timers and events are here. Events have Asterisk's words and
order (see `races`), and callers whom no agent took go back to the dialplan.
"""

from __future__ import annotations

from typing import Protocol

from simulator.engine import Engine
from simulator.people import offered, uniforms
from simulator.scenario import Agent, Queue, Scenario
from simulator.switch.calls import (
    IN_USE,
    NOT_IN_USE,
    UNAVAILABLE,
    CallQueue,
    Device,
    Member,
    Offer,
    QueueEntry,
    SwitchCall,
)
from simulator.switch.calls import RINGING as DEVICE_RINGING
from simulator.switch.channels import Channels
from simulator.switch.events import RINGING, UP
from simulator.switch.races import pick, shares

#: A waiting caller looks whether it is its turn that often (app_queue.c, RECHECK).
_RECHECK = 1.0

_ORDER_AGENT_RINGS = shares({"RSM": 29, "RMS": 15, "SRM": 7})
_ORDER_CONNECT = shares({"LAM": 29, "MLA": 8, "LMA": 3})
_ORDER_COMPLETE = shares({"hHM": 21, "hMH": 13, "HhM": 6})  # the agent hung up
_ORDER_CALLER_LEFT = shares({"HhM": 2, "hHM": 1})
_ORDER_ABANDONED = shares({"BhH": 4, "hBH": 1, "BHh": 2})  # B with L, h with M, while an agent's telephone rang


class Dialplan(Protocol):
    """What the queue asks others to do."""

    def subscriber_leaves(self, call: SwitchCall) -> None:
        """The subscriber hangs up."""

    def end(self, call: SwitchCall, cause: int, ended_by: str) -> None:
        """Hang up an answered call that has no agent's leg."""

    def after_queue(self, call: SwitchCall) -> None:
        """Go on in the dialplan with a caller who got no agent."""


class AppQueue:
    """All queues of one simulated Asterisk, with the agents' telephones and what the agents do."""

    def __init__(
        self, scenario: Scenario, engine: Engine, seed: int, *, channels: Channels, dialplan: Dialplan
    ) -> None:
        self._scenario = scenario
        self._engine = engine
        self._clock = engine.clock
        self._seed = seed
        self._channels = channels
        self._dialplan = dialplan
        self.load()

    def load(self) -> None:
        """Reset, as after a start of Asterisk: queues as configured, nobody waits."""
        now = self._clock.time()
        self.devices = {agent.interface: Device(agent) for agent in self._scenario.agents}
        self.queues: dict[str, CallQueue] = {}
        """By name in lower case, as Asterisk looks them up."""
        for spec in self._scenario.queues:
            self.add_queue(spec, now)
        for device in self.devices.values():
            self._plan_break(device, 0)

    def add_queue(self, spec: Queue, now: float) -> CallQueue:
        queue = self.queues[spec.name.lower()] = CallQueue(spec)
        for interface in spec.members:
            self._add(queue, self.devices[interface], "static", now)
        return queue

    def _add(self, queue: CallQueue, device: Device, membership: str, now: float, interface: str = "") -> Member:
        member = Member(queue, device, membership, now, interface)
        queue.members.append(member)
        device.members.append(member)
        member.refresh()
        return member

    # --- callers ------------------------------------------------------------------------------------------

    def join(self, call: SwitchCall, name: str, longest: float | None) -> bool:
        """Queue(name,r,,,longest); None: as long as the queue itself allows. False: there is no such queue."""
        queue = self.queues.get(name.lower())
        if queue is None:
            return False
        now = self._clock.time()
        longest = queue.spec.max_wait if longest is None else longest
        call.application, call.data = "Queue", f"{name},r,,,{longest:g}" if longest else name
        self._channels.statistics.queued += 1
        entry = QueueEntry(call, queue, now, len(queue.entries) + 1, wake_at=self._clock.monotonic())
        if longest:
            entry.expires = int(now) + longest  # app_queue counts whole seconds: time(NULL) + timeout
        queue.entries.append(entry)
        call.entry = entry
        count = len(queue.entries)
        self._channels.emit(
            "agent",
            "QueueCallerJoin",
            f"{call.channel.block()}Queue: {queue.spec.name}\r\nPosition: {count}\r\nCount: {count}\r\n",
        )
        if call.behaviour.patience is not None:
            call.timers.append(self._engine.after(call.behaviour.patience, self._dialplan.subscriber_leaves, call))
        if longest:
            call.timers.append(self._engine.after(longest, self._waited_enough, call))
        # Not within this burst: OriginateResponse may still have to be written.
        entry.tick_set = True
        self._engine.after(0.0, self._tick, entry)
        return True

    def _tick(self, entry: QueueEntry) -> None:
        """The caller's thread looks whether it is its turn."""
        entry.tick_set = False
        if entry.call.entry is not entry or entry.being_offered:
            return
        entry.wake_at = self._clock.monotonic()
        if self._clock.time() >= entry.expires:
            self._waited_enough(entry.call)
            return
        if any(other is entry for other in entry.queue.in_turn()):
            entry.being_offered = True
            entry.tried.clear()
            self._offer(entry)

    def poll(self, queue: CallQueue) -> None:
        """A member may have become free: who is in turn notices at its next look, within a second."""
        if not queue.entries:
            return
        now = self._clock.monotonic()
        for entry in queue.in_turn():
            if not entry.tick_set:
                entry.tick_set = True
                self._engine.after((entry.wake_at - now) % _RECHECK, self._tick, entry)

    def abandon(self, call: SwitchCall, entry: QueueEntry, cause: int, ended_by: str) -> None:
        """The caller leaves the queue and is gone. If an agent's leg rings for the caller, it is cancelled first."""
        queue, offer = entry.queue, call.offer
        if offer is not None:
            self._agent_dial("DialEnd", offer, "CANCEL")
            self._agent_dial("DialEnd", offer, "CANCEL")
        for letter in pick(_ORDER_ABANDONED, call.chance(2)) if offer is not None else "BH":
            if letter == "B":
                self._leave_queue(call, entry)
            elif letter == "H":
                self._dialplan.end(call, cause, ended_by)
            elif offer is not None:
                self._drop_leg(offer, 0)
        self.poll(queue)

    def _leave_queue(self, call: SwitchCall, entry: QueueEntry) -> None:
        """Out of the queue without an agent."""
        queue = entry.queue
        position = queue.position(entry)
        queue.entries.remove(entry)
        queue.abandoned += 1
        call.entry = None
        call.application = call.data = ""
        self._channels.statistics.abandoned += 1
        held = int(self._clock.time()) - int(entry.joined)
        body = (
            f"Queue: {queue.spec.name}\r\nPosition: {position}\r\n"
            f"OriginalPosition: {entry.original_position}\r\nHoldTime: {held}\r\n"
        )
        self._channels.emit("agent", "QueueCallerAbandon", call.channel.block() + body)
        self._leave_event(call, queue, position)

    def _waited_enough(self, call: SwitchCall) -> None:
        """Queue(...,,,n) is over. Asterisk 16 reports it as if the caller had given up; the dialplan goes on with
        them."""
        entry = call.entry
        if call.over or entry is None or call.offer is not None:  # an agent who is being rung may still answer
            return
        for timer in call.timers:  # his patience with the queue; leaves_after is set again below
            timer.cancel()
        call.timers.clear()
        self._leave_queue(call, entry)
        self._channels.statistics.let_go += 1
        if call.log is not None:
            call.log.let_go = self._clock.time()
            self._channels.note_step(call, "let_go", call.log.let_go)
            if call.behaviour.leaves_after is not None and call.log.answered is not None:
                left = call.behaviour.leaves_after - (call.log.let_go - call.log.answered)
                call.timers.append(self._engine.after(max(0.0, left), self._dialplan.subscriber_leaves, call))
        self._dialplan.after_queue(call)
        self.poll(entry.queue)

    # --- an agent's leg -----------------------------------------------------------------------------------

    def _offer(self, entry: QueueEntry) -> None:
        """Ring the next free member for this caller, or pause."""
        queue, call = entry.queue, entry.call
        member = queue.choose(entry.tried)
        if member is None:
            entry.being_offered = False
            entry.tick_set = True
            self._engine.after(queue.spec.retry, self._tick, entry)
            return
        device = member.device
        device.set_state(DEVICE_RINGING)
        channel = self._channels.open(member.interface, "", call.channel.uniqueid, context="from-agent", exten="s")
        behaviour = offered(device.agent, self._seed, call.number, call.ordinal, entry.offers)
        entry.offers += 1
        entry.tried.append(member)
        offer = Offer(call, entry, member, channel, behaviour, self._clock.time())
        call.offer = offer
        self._channels.add_offer(offer)
        self._channels.emit("call", "Newchannel", channel.block())
        channel.update(number=call.channel.number, person=call.channel.person, account=call.channel.account)
        self._agent_event("AgentCalled", offer)
        if device.agent.busy:
            offer.timer = self._engine.after(0.004, self.agent_refuses, offer)
        else:
            offer.timer = self._engine.after(0.002, self._agent_rings, offer)

    def _agent_event(self, name: str, offer: Offer, tail: str = "", *, leg: bool = True) -> None:
        member = offer.member
        dest = offer.channel.dest() if leg else ""
        self._channels.emit(
            "agent",
            name,
            f"{offer.call.channel.block()}{dest}Queue: {member.queue.spec.name}\r\n"
            f"Interface: {member.interface}\r\nMemberName: {member.name}\r\n{tail}",
        )

    def _agent_dial(self, name: str, offer: Offer, status: str) -> None:
        self._channels.emit("call", name, f"{offer.call.channel.block()}{offer.channel.dest()}DialStatus: {status}\r\n")

    def _device(self, device: Device, state: int) -> None:
        """A telephone's state changed: every queue it is in reports that."""
        device.set_state(state)
        if device.known and device.shown != state:
            device.shown = state
            for member in device.members:
                self._channels.emit("agent", "QueueMemberStatus", member.event_body())

    def _agent_rings(self, offer: Offer) -> None:
        for letter in pick(_ORDER_AGENT_RINGS, offer.agent.order):
            if letter == "R":
                offer.channel.update(state=RINGING)
                self._channels.emit("call", "Newstate", offer.channel.block())
            elif letter == "S":
                self._agent_dial("DialState", offer, "RINGING")
            else:
                self._device(offer.member.device, DEVICE_RINGING)
        timeout = self._rings_for(offer)
        pick_up = offer.agent.pick_up
        if pick_up is not None and pick_up < timeout:
            offer.timer = self._engine.after(pick_up, self._agent_answers, offer)
        else:
            offer.timer = self._engine.after(timeout, self._agent_rings_out, offer)

    def _rings_for(self, offer: Offer) -> float:
        """How long the agent is rung: the queue's timeout, or what is left of the caller's time (whole seconds) if
        less."""
        left = offer.entry.expires - int(offer.began)
        return min(offer.member.queue.spec.timeout, max(1.0, left))

    def agent_refuses(self, offer: Offer, cause: int = 17) -> None:
        """486 from the agent's telephone, or the leg was cut: the next one is rung in the same breath."""
        rung = (int(self._clock.time()) - int(offer.began)) * 1000
        self._agent_dial("DialEnd", offer, "NOANSWER")
        self._agent_event("AgentRingNoAnswer", offer, f"RingTime: {rung}\r\n")
        self._drop_leg(offer, cause)
        self._offer(offer.entry)

    def _agent_rings_out(self, offer: Offer) -> None:
        """The agent did not pick up within the queue's timeout: two DialEnd, as 16 does."""
        ringing = round(self._rings_for(offer) * 1000)
        self._agent_event("AgentRingNoAnswer", offer, f"RingTime: {ringing}\r\n")
        self._agent_dial("DialEnd", offer, "NOANSWER")
        self._agent_dial("DialEnd", offer, "CANCEL")
        self._drop_leg(offer, 0)
        entry = offer.entry
        entry.being_offered = False
        if self._clock.time() >= entry.expires:
            self._waited_enough(offer.call)
            return
        entry.tick_set = True
        self._engine.after(entry.queue.spec.retry, self._tick, entry)

    def _drop_leg(self, offer: Offer, cause: int) -> None:
        """The agent's leg ends before it was connected."""
        if offer.timer is not None:
            offer.timer.cancel()
        offer.call.offer = None
        self._channels.offers.pop(offer.channel.uniqueid, None)
        self._channels.hangup(offer.channel, cause)
        self._device_free(offer.member.device)

    def _device_free(self, device: Device) -> None:
        self._device(device, NOT_IN_USE if device.present else UNAVAILABLE)
        for member in device.members:
            self.poll(member.queue)

    def _agent_answers(self, offer: Offer) -> None:
        call, entry, member = offer.call, offer.entry, offer.member
        queue, now = member.queue, self._clock.time()
        # Patience and the queue's longest wait are over; leaves_after is set again below.
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()
        offer.channel.update(state=UP)
        self._channels.emit("call", "Newstate", offer.channel.block())
        self._agent_dial("DialEnd", offer, "ANSWER")
        position = queue.position(entry)
        queue.entries.remove(entry)
        call.entry = None
        offer.connected = now
        offer.hold = int(now) - int(entry.joined)
        queue.note_hold(offer.hold)
        if call.log is not None:
            call.log.connected, call.log.agent = now, member.interface
            self._channels.note_step(call, "connected", now, agent=member.interface)
        self._channels.statistics.connected += 1
        for letter in pick(_ORDER_CONNECT, offer.agent.order):
            if letter == "L":
                self._leave_event(call, queue, position)
            elif letter == "A":
                member.in_call = 1
                member.refresh()
                tail = f"HoldTime: {offer.hold}\r\nRingTime: {int(now - offer.began)}\r\n"
                self._agent_event("AgentConnect", offer, tail)
            else:
                self._device(member.device, IN_USE)
        behaviour = call.behaviour
        talk = offer.agent.talk if behaviour.talk is None else behaviour.talk
        end = self._dialplan.subscriber_leaves if behaviour.ends_talk else self._agent_leaves
        subject: SwitchCall | Offer = call if behaviour.ends_talk else offer
        offer.timer = self._engine.after(talk, end, subject)
        if behaviour.leaves_after is not None and call.log is not None and call.log.answered is not None:
            left = behaviour.leaves_after - (now - call.log.answered)
            call.timers.append(self._engine.after(max(0.0, left), self._dialplan.subscriber_leaves, call))
        self.poll(queue)

    def _leave_event(self, call: SwitchCall, queue: CallQueue, position: int) -> None:
        body = f"Queue: {queue.spec.name}\r\nPosition: {position}\r\nCount: {len(queue.entries)}\r\n"
        self._channels.emit("agent", "QueueCallerLeave", call.channel.block() + body)

    def _agent_leaves(self, offer: Offer) -> None:
        self.complete(offer, "agent", 16, "agent")

    def complete(self, offer: Offer, reason: str, cause: int, ended_by: str, *, leg_first: bool = False) -> None:
        """A conversation ends: AgentComplete, both channels, the telephone free.

        `leg_first`: AMI hung up the agent's leg and it was gone before AgentComplete was written, which then
        lacks that leg's fields.
        """
        call, member, now = offer.call, offer.member, self._clock.time()
        call.over = True
        call.cancel()
        if offer.timer is not None:
            offer.timer.cancel()
        assert offer.connected is not None
        talk = int(now) - int(offer.connected)
        queue = member.queue
        queue.completed += 1
        queue.note_talk(talk)
        member.in_call = 0
        for other in member.device.members:  # shared_lastcall = yes
            other.calls_taken += 1
            other.last_call = int(now)
            wrap = other.queue.spec.wrapuptime
            if wrap:
                # app_queue counts whole seconds: time(NULL) - lastcall < wrapuptime
                other.wrapping = True
                self._engine.after(other.last_call + wrap - now + 0.001, self._wrapped_up, other)
            other.refresh()
        tail = f"HoldTime: {offer.hold}\r\nTalkTime: {talk}\r\nReason: {reason}\r\n"
        order = pick(_ORDER_COMPLETE if reason == "agent" else _ORDER_CALLER_LEFT, call.chance(2))
        if leg_first:
            self._channels.hangup(offer.channel, cause)
            self._agent_event("AgentComplete", offer, tail, leg=False)
            order = "HM"
        else:
            self._agent_event("AgentComplete", offer, tail)
        self._channels.offers.pop(offer.channel.uniqueid, None)
        for letter in order:
            if letter == "h":
                self._channels.hangup(offer.channel, cause)
            elif letter == "M":
                self._device(member.device, NOT_IN_USE if member.device.present else UNAVAILABLE)
            else:
                self._dialplan.end(call, cause, ended_by)
        call.offer = None
        self._after_call(offer)

    # --- what agents do besides talking --------------------------------------------------------------------

    def _after_call(self, offer: Offer) -> None:
        """The agent may pause to write a note; an agent who is free again gets waiting callers."""
        device = offer.member.device
        if offer.agent.wrap_up > 0 and not device.on_break:
            device.wrapping = True
            self.pause(device, True, "wrap-up")
            self._engine.after(offer.agent.wrap_up, self._written_up, device)
        for member in device.members:
            self.poll(member.queue)

    def _written_up(self, device: Device) -> None:
        device.wrapping = False
        if not device.on_break:
            self.pause(device, False, "")

    def _plan_break(self, device: Device, count: int) -> None:
        """Plan the agent's next break, from now on; `count`: breaks so far."""
        agent = device.agent
        u = uniforms(self._seed, agent.interface, "break", count)
        after = agent.break_after.at(u[0])
        if after > 0:
            self._engine.after(after, self._break_begins, device, count, agent.break_length.at(u[1]))

    def _break_begins(self, device: Device, count: int, length: float) -> None:
        device.on_break = True
        self.pause(device, True, "break")
        self._engine.after(length, self._break_ends, device, count)

    def _break_ends(self, device: Device, count: int) -> None:
        device.on_break = False
        self.pause(device, device.wrapping, "wrap-up" if device.wrapping else "")
        self._plan_break(device, count + 1)

    def _wrapped_up(self, member: Member) -> None:
        """The queue's wrapuptime is over (there is no event for that), unless there was another call since."""
        if int(self._clock.time()) - member.last_call >= member.queue.spec.wrapuptime:
            member.wrapping = False
            member.refresh()
            self.poll(member.queue)

    def pause(self, device: Device, paused: bool, reason: str, queue: str = "") -> bool:
        """Pause a member in one queue or in all; False: it is in none of them."""
        members = [member for member in device.members if not queue or member.queue.spec.name == queue]
        for member in members:
            member.paused = paused
            member.refresh()
            member.pause_reason = reason if paused else ""
            if paused:
                member.last_pause = int(self._clock.time())
            tail = f"Reason: {reason}\r\n" if reason else ""
            self._channels.emit("agent", "QueueMemberPause", member.event_body() + tail)
            self.poll(member.queue)
        return bool(members)

    def set_present(self, device: Device, present: bool) -> None:
        """Register a telephone, or unregister it; one in use stays until its call is over."""
        device.present = present
        if device.state in (NOT_IN_USE, UNAVAILABLE):
            self._device_free(device)

    def add_member(
        self, queue: CallQueue, interface: str, name: str, *, telephone: str, paused: bool, penalty: int
    ) -> bool:
        """QueueAdd; False: it is in that queue already. telephone: the device whose state counts, StateInterface. The
        state of a Custom device that nobody has set is unknown."""
        if queue.member(interface) is not None:
            return False
        telephone = telephone or interface
        device = self.devices.get(telephone)
        if device is None:
            known = self.devices.get(interface)
            agent = Agent(interface, name) if known is None else known.agent
            device = self.devices[telephone] = Device(agent, telephone, known=not telephone.startswith("Custom:"))
        member = self._add(queue, device, "dynamic", self._clock.time(), interface)
        member.name = name or interface
        member.paused = paused
        member.refresh()
        member.penalty = penalty
        self._channels.emit("agent", "QueueMemberAdded", member.event_body())
        self.poll(queue)
        return True

    def remove_member(self, member: Member) -> None:
        """QueueRemove of a dynamic member."""
        member.queue.members.remove(member)
        member.queue.ready.discard(member)
        member.queue.next_member = 0
        member.device.members.remove(member)
        self._channels.emit("agent", "QueueMemberRemoved", member.event_body())
