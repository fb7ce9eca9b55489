"""What is known about one call: facts, in whatever order they came, and what follows from them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.model import AmdVerdict, Begun, OpenAttempt, Outcome, State, Step, reached

PEOPLE = (AmdVerdict.HUMAN, AmdVerdict.NOTSURE)
KEYS = "0123456789*#"
KEYS_MOST = 40
"""So many keys of a call are kept."""
LOCAL = "Local/"
"""How the names of Local channels begin. Such a channel may be optimised away while its call goes on."""
_STEPS = tuple(Step)


@dataclass(eq=False)
class Call:
    """One attempt on its way. Instants are those of the clock's monotonic()."""

    attempt_id: int
    case_id: int
    project_id: str
    phone_number: str
    type: str
    queue: str
    trunk: str
    channel: str
    channel_id: str
    action_id: str
    dial_seconds: float
    abandon_seconds: float
    begun: float
    amd: bool = False
    """The dialplan was asked to find out whether a machine has answered."""
    amd_verdict: AmdVerdict | None = None
    steps: dict[Step, float] = field(default_factory=dict)
    agent: str | None = None
    """The interface that talks to the subscriber; '' if all we know is that somebody does."""
    offered: set[str] = field(default_factory=set)
    """The interfaces that are being rung for this call."""
    local: bool = False
    """Its channel is a Local one."""
    unwatched: bool = False
    """Events may have been missed during this call, so a missing event proves nothing."""
    hearsay: bool = False
    """Another worker sent it, and Asterisk has not shown it to this one yet: its end may have been missed."""
    channel_seen: bool = False
    arrived: bool = False
    """Asterisk has made its channel, or never will: no Originate of it is still on its way."""
    joined: str | None = None
    """The first queue that the call joined."""
    cause: int | None = None
    hung_up: float | None = None
    refused: float | None = None
    """When Originate was answered with Failure or Error."""
    reason: int | None = None
    detail: str | None = None
    left_queue: bool = False
    """The caller left the queue without an agent (QueueCallerAbandon): they gave up, or their time there was over."""
    keys: str = ""
    """The keys that the subscriber pressed in a message, in order."""
    opted_out: float | None = None
    """When the subscriber asked not to be called again."""
    opt_out_key: str = ""
    """With which key."""
    shutdown: bool = False
    """Asterisk is going down, or was when this call ended."""
    legs: set[str] = field(default_factory=set)
    """For a Local call: the Uniqueids of its other channels, which may carry it on."""
    unsent: bool = False
    """Its Originate was never sent, so its end says nothing about trunk and number."""
    outcome: Outcome | None = None
    ended: float | None = None

    @property
    def answered(self) -> bool:
        """Has a person (or a machine) taken the call?"""
        return Step.ANSWERED in self.steps

    @property
    def serves_agents(self) -> bool:
        """Is the answered call meant for an agent?"""
        return self.type != "autoinforming"

    @property
    def wants_agent(self) -> bool:
        """Will this call still need a free agent? Not once an agent talks or is being rung for it, nor when it is
        ending. Who hears a message needs one from when they ask for one."""
        serves = self.serves_agents or Step.WAITING in self.steps
        ending = self.hung_up is not None or self.refused is not None or self.without_agent
        return serves and self.outcome is None and self.agent is None and not self.offered and not ending

    @property
    def under_amd(self) -> bool:
        """Has it been answered, without our knowing yet whether by a person or a machine?"""
        listening = self.amd and self.amd_verdict is None and Step.WAITING not in self.steps
        return self.answered and listening and self.agent is None and self.hung_up is None and self.outcome is None

    @property
    def person_at(self) -> float | None:
        """When a person was on the line: at the answer, or at AMD's verdict where AMD listened first."""
        if not self.amd:
            return self.steps.get(Step.ANSWERED)
        if self.amd_verdict in PEOPLE:
            return self.steps.get(Step.AMD)
        return self.steps.get(Step.WAITING, self.steps.get(Step.AGENT))  # the verdict was missed

    @property
    def without_agent(self) -> bool:
        """Is it certain that no agent will come? That is so when the queue has let it go, a machine answered, or the
        subscriber left while AMD listened."""
        return self.left_queue or self.amd_verdict in (AmdVerdict.MACHINE, AmdVerdict.HANGUP)

    @property
    def state(self) -> State:
        """Where it is."""
        if self.outcome is not None:
            return State.ENDED
        return reached(self.steps)

    @classmethod
    def begun_as(cls, begun: Begun, now: float) -> Call:
        """A call just before its Originate is sent."""
        return cls(
            attempt_id=begun.attempt_id,
            case_id=begun.case_id,
            project_id=begun.project_id,
            phone_number=begun.phone_number,
            type=begun.type,
            queue=begun.queue,
            trunk=begun.trunk,
            channel=begun.channel,
            channel_id=begun.channel_id,
            action_id=begun.action_id,
            dial_seconds=begun.dial_seconds,
            abandon_seconds=begun.abandon_seconds,
            begun=now,
            amd=begun.amd,
            local=begun.channel.startswith(LOCAL),
        )

    @classmethod
    def adopted(cls, attempt: OpenAttempt, now: float) -> Call:
        """A call that another worker, or this one before it lost its memory, has begun."""
        return cls(
            attempt_id=attempt.attempt_id,
            case_id=attempt.case_id,
            project_id=attempt.project_id,
            phone_number=attempt.phone_number,
            type=attempt.type,
            queue=attempt.queue,
            trunk=attempt.trunk,
            channel="",
            channel_id=attempt.channel_id,
            action_id=attempt.action_id,
            dial_seconds=attempt.dial_seconds,
            abandon_seconds=attempt.abandon_seconds,
            begun=now - attempt.begun_ago,
            # The ledger does not say whether AMD is still listening.
            amd=attempt.amd_verdict is not None,
            amd_verdict=attempt.amd_verdict,
            steps={step: now - ago for step, ago in attempt.steps_ago.items()},
            # For a call that was found talking, the ledger has an instant but no name.
            agent=attempt.agent or ("" if Step.AGENT in attempt.steps_ago else None),
            keys=attempt.keys_pressed,
            unwatched=True,
            hearsay=True,
            channel_seen=any(step is not Step.DIALING for step in attempt.steps_ago),
            arrived=attempt.signed_off,
        )

    def reach(self, step: Step, now: float, ago: float = 0.0) -> bool:
        """Note that a step was reached `ago` seconds before `now`; False: that was known already."""
        if step in self.steps:
            return False
        place = _STEPS.index(step)
        # A step reported late cannot have come after those that follow it, nor after the end …
        later = [self.steps[other] for other in _STEPS[place + 1 :] if other in self.steps]
        if self.hung_up is not None and not self.legs:
            later.append(self.hung_up)
        at = min([now - ago, *later])
        # … and one that Asterisk counts in whole seconds cannot have come before those that it follows.
        earlier = [self.steps[other] for other in _STEPS[:place] if other in self.steps]
        self.steps[step] = max([at, self.begun, *earlier]) if ago else at
        self.channel_seen = self.channel_seen or step is not Step.DIALING
        return True

    def press(self, key: str) -> bool:
        """Note a key; False: it is none, or there are too many."""
        if len(key) != 1 or key not in KEYS or len(self.keys) >= KEYS_MOST:
            return False
        self.keys += key
        return True

    def end(self, outcome: Outcome, now: float) -> None:
        """End it at the last instant known of it."""
        self.outcome = outcome
        ends = (self.hung_up, None if self.answered else self.refused, now)
        self.ended = max(next(at for at in ends if at is not None), *self.steps.values(), self.begun)
