"""What is known of one call: facts, in whatever order they came, and what follows from them by itself. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.model import AmdVerdict, Begun, OpenAttempt, Outcome, State, Step, reached

PEOPLE = (AmdVerdict.HUMAN, AmdVerdict.NOTSURE)
LOCAL = "Local/"
"""How the names of Local channels begin, which may be optimised away while their call goes on."""
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
    """The interface that talks to the subscriber; '' if it is known only that somebody does."""
    offered: set[str] = field(default_factory=set)
    """The interfaces that are being rung for this call."""
    local: bool = False
    """Its channel is a Local one."""
    unwatched: bool = False
    """It has lived through a time whose events nobody saw; that none came proves nothing."""
    hearsay: bool = False
    """Another worker has sent it, and Asterisk has not shown it to this one: how it ended may have gone unheard."""
    channel_seen: bool = False
    arrived: bool = False
    """Asterisk has made its channel, or never will: nothing of it is on its way there."""
    joined: str | None = None
    """The first queue that the call joined."""
    cause: int | None = None
    hung_up: float | None = None
    refused: float | None = None
    """When Originate was answered with Failure or Error."""
    reason: int | None = None
    detail: str | None = None
    left_queue: bool = False
    """The queue has let the caller go without an agent (QueueCallerAbandon): he gave up, or his time there was over."""
    shutdown: bool = False
    """Asterisk is going down, or was when this call ended."""
    legs: set[str] = field(default_factory=set)
    """Of a Local call: the Uniqueids of its other channels, by which it may live on."""
    unsent: bool = False
    """Its Originate never left us: its end says nothing of trunk and number."""
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
        """Will this call need an agent who is still free? Not once one talks or is being rung for it, nor when it
        is ending."""
        ending = self.hung_up is not None or self.refused is not None or self.without_agent
        return self.serves_agents and self.outcome is None and self.agent is None and not self.offered and not ending

    @property
    def under_amd(self) -> bool:
        """Has it been answered, and nobody knows yet by whom?"""
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
        """Is it certain that no agent will come? The queue has let it go, a machine has it, or its subscriber left
        while AMD listened."""
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
            # Whether AMD listens to it still the ledger does not say.
            amd=attempt.amd_verdict is not None,
            amd_verdict=attempt.amd_verdict,
            steps={step: now - ago for step, ago in attempt.steps_ago.items()},
            # The ledger knows an instant without a name of a call that was found talking.
            agent=attempt.agent or ("" if Step.AGENT in attempt.steps_ago else None),
            unwatched=True,
            hearsay=True,
            channel_seen=any(step is not Step.DIALING for step in attempt.steps_ago),
            arrived=attempt.signed_off,
        )

    def reach(self, step: Step, now: float, ago: float = 0.0) -> bool:
        """Asterisk says now that a step was reached, so many seconds ago; False: it was known already."""
        if step in self.steps:
            return False
        place = _STEPS.index(step)
        # A step that is told late cannot have come after those that follow it, nor after the end …
        later = [self.steps[other] for other in _STEPS[place + 1 :] if other in self.steps]
        if self.hung_up is not None and not self.legs:
            later.append(self.hung_up)
        at = min([now - ago, *later])
        # … and what Asterisk counts in whole seconds not before those that it follows.
        earlier = [self.steps[other] for other in _STEPS[:place] if other in self.steps]
        self.steps[step] = max([at, self.begun, *earlier]) if ago else at
        self.channel_seen = self.channel_seen or step is not Step.DIALING
        return True

    def end(self, outcome: Outcome, now: float) -> None:
        """It is over, at the last instant that is known of it."""
        self.outcome = outcome
        ends = (self.hung_up, None if self.answered else self.refused, now)
        self.ended = max(next(at for at in ends if at is not None), *self.steps.values(), self.begun)
