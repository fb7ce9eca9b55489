"""One Asterisk in this worker's hands: its link, its calls, its agents.

The order after each login: take the open attempts from the ledger, list channels and queue members, look for opt-outs
that nobody heard of, settle the calls that are gone; only then may anything be originated. Events that come in the
meantime wait in the client's inbox. Where an event could be forged, it is not believed: events about agents, or about
Asterisk as a whole, only make this module ask.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gevent.event import Event
from gevent.queue import Empty, Queue
from sqlalchemy.exc import DBAPIError

from worker.ami import actions
from worker.ami.client import AmiClient, LinkDown, LinkUp
from worker.ami.errors import AmiRefused
from worker.ami.message import Message
from worker.asterisk.agents import Agents
from worker.asterisk.agents_table import AgentsTable
from worker.asterisk.kept_opt_outs import KeptOptOuts
from worker.asterisk.notices import Look, LookAgain, Notices, Obstacle
from worker.asterisk.originator import Originator
from worker.backoff import Outage
from worker.calls.call import Call
from worker.calls.ledger import Ledger
from worker.calls.tracker import Tracker
from worker.clock import Clock
from worker.config import AsteriskSettings
from worker.db import Database
from worker.db.routines.attempts import Attempts
from worker.db.routines.instants import instant
from worker.db.routines.owners import Owners
from worker.errors import DatabaseUnavailable, DialerError
from worker.model import Begun, Outcome, Ownership
from worker.supervisor import LINGER_SECONDS, Supervisor, later
from worker.troubles import Troubles

log = logging.getLogger(__name__)

WANTED = frozenset(
    {
        "FullyBooted",
        "Shutdown",
        "Reload",
        "Newchannel",
        "Newstate",
        "DialState",
        "DialEnd",
        "Hangup",
        "OriginateResponse",
        "QueueCallerJoin",
        "QueueCallerAbandon",
        "AgentCalled",
        "AgentRingNoAnswer",
        "AgentConnect",
        "AgentComplete",
        "QueueMemberStatus",
        "QueueMemberPause",
        "QueueMemberAdded",
        "QueueMemberRemoved",
        "UserEvent",
    }
)
CHECK_SECONDS = 30.0
"""How often queue members and channels are listed, in case something was missed."""
STOPPING_SECONDS = 2.0
"""How often an Asterisk that is shutting down is asked whether the shutdown was called off."""
AGAIN_SECONDS = 1.0
"""How long before a look is repeated that failed or that somebody disturbed."""
UNSURE_MOST = 20
"""With more members than this to confirm, one list of all is shorter."""


@dataclass(frozen=True)
class _LookAround:
    """In the inbox: time for a look at channels and members."""


@dataclass(frozen=True)
class _Stop:
    """In the inbox: stop reading."""


class Session:
    """The link to one owned Asterisk and what happens there."""

    def __init__(
        self, settings: AsteriskSettings, database: Database, clock: Clock, owner: Ownership, instance: str
    ) -> None:
        self.name = settings.name
        self.owner = owner
        self.notices = Notices()
        """Notices for the dialling."""
        self.troubles = Troubles(database, clock, owner)
        self.ledger = Ledger(
            database, clock, owner, self.troubles, written=self._lines_free, opt_out_written=self._opt_out_written
        )
        self.tracker = Tracker(clock.monotonic, self)
        self.agents = Agents(clock.monotonic, clock.time)
        self.stopped = Event()
        self.ready = False
        """Is the link up, and do we know everything that calls need?"""
        self.client = AmiClient(
            settings.host,
            settings.port,
            settings.username,
            settings.password.reveal(),
            timeout=settings.timeout_seconds,
            wanted=WANTED,
            tls=_tls(settings),
            instance=instance,
        )
        self._kept = KeptOptOuts(self.client)
        self._originator = Originator(self.client, self.tracker, self.agents, self._refused)
        self._agents_table = AgentsTable(self.agents, database, clock, owner, self.troubles)
        self._attempts = Attempts(database)
        self._owners = Owners(database)
        self._clock = clock
        self._unwritten = Event()
        """There is something to write."""
        self._agents_seen = self.agents.version
        self._stopping = False
        self._unsynced: LinkUp | None = None
        """A link whose resync is not complete yet; until it is, nothing is originated."""
        self._doubtful: tuple[set[Call], Outcome] = (set(), Outcome.LOST)
        """Calls missing from a list that somebody had tampered with, and their outcome if they are still missing next
        time."""
        self._told: tuple[str, str | None] | None = None
        self._taking = Outage(
            log, "take_failed", "what Asterisk said could not be taken in", "what Asterisk says is taken in again"
        )
        self._loops = Supervisor(self.stopped, clock=clock, tell=self._tell_trouble)

    def start(self) -> None:
        """Connect and stay connected."""
        self.client.start()
        self._loops.keep("events", self._consume)
        self._loops.keep("ledger", self._write)
        self._loops.keep("looks", self._remind)
        self._loops.keep("troubles", self.troubles.turn)

    def stop(self) -> None:
        """Leave the link; calls that are up stay up. Returns when its greenlets have ended. Harmless when stopped."""
        self.ready = False
        self.stopped.set()
        self._unwritten.set()
        self.notices.put(Look())
        self.troubles.stop()
        self.client.stop()
        cast("Queue[Any]", self.client.inbox).put(_Stop())
        # Not killed: a connection of the pool must not be left in the middle of a query.
        self._loops.join()

    def confirmed(self) -> None:
        """The Asterisk is confirmed to be this worker's, and has been all the time."""
        self.ledger.confirmed()
        self._unwritten.set()

    # --- originating -------------------------------------------------------------------------------------

    def originate(self, begun: Begun) -> bool:
        """Send the Originate of an attempt that was begun; whatever happens now, it will get one outcome.

        False: there is no link to send it on. Raises UnsafeAction if its project's settings make it impossible to send.
        """
        if not self.ready:
            # The link was lost after the attempt was begun, and the new one has not been resynced yet.
            self.give_up(begun, "the link to Asterisk was lost before it was sent")
            return False
        return self._originator.originate(begun)

    def give_up(self, begun: Begun, why: str) -> None:
        """End an attempt that was begun and must no longer be sent."""
        self._originator.give_up(begun, why)

    def _refused(self, call: Call, text: str) -> None:
        if "shutting down" in text:
            self.ready = False
            self._look()
        else:
            self.notices.put(Obstacle(call.project_id, f"Asterisk refused its call: {text}"))

    # --- what the tracker finds out ----------------------------------------------------------------------

    def stepped(self, call: Call) -> None:
        """It is to be written."""
        self.ledger.stepped(call)
        self._unwritten.set()

    def ended(self, call: Call) -> None:
        """It is to be written."""
        self.ledger.ended(call)
        self._unwritten.set()

    def opted_out(self, call: Call) -> None:
        """It is to be written at once."""
        self.ledger.opted_out(call)
        self._unwritten.set()

    def astray(self, project_id: str, why: str) -> None:
        """Notify the dialling that the project cannot be dialled like that."""
        self.notices.put(Obstacle(project_id, why))

    def waits(self) -> None:
        """Wake the writing loop, so that it asks the tracker again when it is due."""
        self._unwritten.set()

    # --- events ------------------------------------------------------------------------------------------

    def _consume(self) -> None:
        inbox = cast("Queue[Any]", self.client.inbox)
        self._take(inbox.get())
        while not inbox.empty():
            self._take(inbox.get_nowait())
        try:
            if self.agents.unsure and self.client.connected:
                self._confirm_members()
        finally:
            self._stir()

    def _take(self, item: object) -> None:
        try:
            if isinstance(item, Message):
                self._event(item)
            elif isinstance(item, LinkUp):
                self._linked(item)
            elif isinstance(item, LinkDown):
                self._down(item.reason)
            elif isinstance(item, _LookAround):
                self._look_around()
        except DatabaseUnavailable as error:
            log.debug("a look failed, tried again", extra={"action": "look_failed", "why": str(error)})
        except Exception as error:
            # Whatever one event or one row did to us, go on to the next.
            self._taking.failed(str(error), None if isinstance(error, DialerError) else error)
            if not isinstance(item, Message):
                self._tell_trouble("look", str(error))
        else:
            self._taking.worked()
            if not isinstance(item, Message):
                self._tell_trouble("look", None)
            return
        if not isinstance(item, Message):
            self.ready = False
            later(AGAIN_SECONDS, self._look)

    def _event(self, event: Message) -> None:
        if event.name.startswith("QueueMember"):
            self.agents.event(event)
        elif event.name == "Shutdown":
            # It may be forged; asking shows at once whether it is true.
            self._ask_whether_stopping()
        elif event.name == "Reload":
            self.notices.put(LookAgain())
            self._look()
        else:
            self.tracker.event(event)

    def _stir(self) -> None:
        """Something was taken in: if the state of agents has changed, have it written, and have the dialling look."""
        if self.agents.version != self._agents_seen:
            self._agents_seen = self.agents.version
            self._unwritten.set()
            self.notices.put(Look())

    def _confirm_members(self) -> None:
        unsure = list(self.agents.unsure)
        try:
            if len(unsure) > UNSURE_MOST:
                self.agents.replace_all(self.client.ask_list([("Action", "QueueStatus")]))
                return
            for queue, interface in unsure:
                fields = [("Action", "QueueStatus"), ("Queue", queue), ("Member", interface)]
                try:
                    items = self.client.ask_list(fields)
                except actions.UnsafeAction:
                    items = []  # nothing in Asterisk can have such a name
                self.agents.replace_one(queue, interface, items)
        except DialerError as error:
            log.debug("queue member not confirmed", extra={"action": "member_unsure", "why": str(error)})

    # --- up, down, and what was missed -------------------------------------------------------------------

    def _linked(self, up: LinkUp) -> None:
        self.ready = False
        if self._unsynced is not None and self._unsynced.restarted:
            up = replace(up, restarted=True)  # since the last look
        self._unsynced = up
        self._resync(up)

    def _resync(self, up: LinkUp) -> None:
        self._stopping = False
        self.notices.put(LookAgain())
        self.tracker.carry_on()
        self.ledger.flush()
        now = instant(self._clock)
        for attempt in self._attempts.open_on(self.name, now):
            if not self.tracker.knows(attempt.channel_id) and not self.ledger.holds(attempt.attempt_id):
                self.tracker.adopt(attempt)
        watched = up.generation > 1
        suspects = self.tracker.suspects()
        if up.uptime is not None:
            # Begun before this Asterisk was started: nothing can be left of them.
            booted = self._clock.monotonic() - up.uptime - 1
            suspects |= {call for call in self.tracker.calls() if call.begun < booted}
        if up.restarted:
            suspects |= set(self.tracker.calls())
        gone = Outcome.TECHNICAL if up.restarted and watched else Outcome.LOST
        if self._list(suspects, gone, unheard=list(self.tracker.calls())):
            self._unsynced = None
            self._up()

    def _look_around(self) -> None:
        if not self.client.connected:
            return
        if self._ask_whether_stopping():
            return
        if self._unsynced is not None:
            self._resync(self._unsynced)
            return
        self.ledger.flush()
        suspects, gone = self._doubtful
        if self._list(suspects | self.tracker.suspects(), gone):
            self._up()

    def _list(self, suspects: set[Call], gone: Outcome, unheard: Sequence[Call] = ()) -> bool:
        """List channels and members; settle the suspects that are gone once the events up to here are in.

        unheard: calls that may have opted out unheard, beside suspects that are gone. False: the link changed
        meanwhile, so the list no longer means anything.
        """
        tampered = self.client.counters.tampered
        channels = self.client.ask_list([("Action", "CoreShowChannels")])
        members = self.client.ask_list([("Action", "QueueStatus")])
        # After the list: whoever is gone from it can press no key any more.
        listed = {channel.get("Uniqueid") for channel in channels}
        opted_out = self._kept.find({*unheard, *(call for call in suspects if call.channel_id not in listed)})
        inbox = self.client.inbox
        for _ in range(inbox.qsize()):
            try:
                item = inbox.get_nowait()
            except Empty:
                break
            if isinstance(item, (LinkUp, LinkDown)):
                self._take(item)
                return False
            if isinstance(item, Message):
                self._take(item)
            # Otherwise it asks for the look that is being taken right now.
        self._doubtful = (set(), Outcome.LOST)
        if self.client.counters.tampered > tampered:
            # A dropped message may have been a call's item in the list, so a missing call is not certainly gone.
            log.warning("a list was tampered with, looking again", extra={"action": "list_tampered"})
            self._doubtful = (suspects, gone)
            suspects = set()
            later(AGAIN_SECONDS, self._look)
        for call, key in opted_out:
            self.tracker.opt_out(call, key)
        self.tracker.reconcile(suspects, {channel.get("Uniqueid"): channel for channel in channels}, gone=gone)
        self.agents.replace_all(members)
        return True

    def _up(self) -> None:
        if self._stopping or not self.client.connected:
            return
        self._kept.clear()
        self._tell("up", None)
        self.notices.put(Look())
        if not self.ready:
            log.info("Asterisk is up", extra={"action": "asterisk_up", "asterisk": self.name})
            self.ready = True

    def _down(self, reason: str) -> None:
        self.ready = False
        self.tracker.shutdown(confirmed=False)
        if self.stopped.is_set():
            return  # this session itself closed it
        # Its client has logged a warning.
        log.info("Asterisk is down", extra={"action": "asterisk_down", "asterisk": self.name, "why": reason})
        self._tell("down", reason)

    def _ask_whether_stopping(self) -> bool:
        try:
            self.client.ask([("Action", "Ping")])
        except AmiRefused as error:
            if "shutting down" not in error.text:
                raise
            if not self._stopping:
                log.warning("Asterisk is shutting down", extra={"action": "asterisk_stopping", "asterisk": self.name})
            self._stopping = True
            self.ready = False
            self.tracker.shutdown(confirmed=True)
            self._tell("down", "it is shutting down")
            return True
        except DialerError:
            return True  # LinkDown follows
        if self._stopping:
            self._stopping = False
            self.tracker.carry_on()
        return False

    def _tell(self, state: str, reason: str | None) -> None:
        """Write the state for readers; if that fails now, the next look writes it."""
        if self._told == (state, reason):
            return
        try:
            self._owners.report_asterisk(self.owner, state, reason)
            self._told = (state, reason)
        except (DialerError, DBAPIError):  # the database is away, or somebody holds the row
            self._told = None

    def _look(self) -> None:
        cast("Queue[Any]", self.client.inbox).put(_LookAround())

    def _remind(self) -> None:
        """Ask for a look now and then: often while a call is overdue or Asterisk is about to stop."""
        hurry = self._stopping or not self.ready or self.tracker.overdue_calls()
        if self._clock.wait(self.stopped, STOPPING_SECONDS if hurry else CHECK_SECONDS):
            return
        if not self.client.connected and self._told != (state := ("down", self.why_down())):
            self._tell(*state)
        self._look()

    def why_down(self) -> str:
        """Why there is no link to Asterisk, for an operator."""
        return self.client.login_error or self.client.down_reason or "its worker is connecting"

    # --- writing -----------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Keep the ledger up to date: at each event, and when a missing event does not come."""
        self._unwritten.clear()
        wait = self.tracker.tick()
        ended = self.ledger.pending()
        self.ledger.flush(LINGER_SECONDS)
        resting = self._agents_table.write()
        if self.stopped.is_set():
            return
        if self.ledger.pending() < ended:
            self.notices.put(Look())  # lines and numbers of those calls are free again
        due = self.ledger.due_in()
        waits = (wait, resting, None if due is None else max(due, LINGER_SECONDS), 5.0)
        self._clock.wait(self._unwritten, min(one for one in waits if one is not None))

    def _opt_out_written(self, call: Call) -> None:
        self._kept.written(call)

    def _lines_free(self) -> None:
        """Ends were written in the background, with nobody waiting for them."""
        self._unwritten.set()
        self.notices.put(Look())

    def _tell_trouble(self, step: str, detail: str | None) -> None:
        self.troubles.note("asterisk", self.name, step, detail)


def _tls(settings: AsteriskSettings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    return ssl.create_default_context(cafile=settings.tls_ca)
