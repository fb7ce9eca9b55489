"""The Asterisks in this worker's hands: it takes them when nobody owns them, and lets them go when they are lost.

Another worker may be able to reach an Asterisk that this one cannot reach. So an owner that has not heard from its
Asterisk for a while offers it to the others; if nobody takes it, the owner takes it back and goes on trying.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial

import gevent
from sqlalchemy.exc import DBAPIError

from worker.asterisk.notices import CasesChanged, LookAgain
from worker.asterisk.session import Session
from worker.backoff import Backoff, Outage
from worker.clock import Clock
from worker.config import AsteriskSettings, Settings
from worker.db import Database
from worker.db.routines.owners import Owners
from worker.db.routines.trunks import Trunks
from worker.dialling.turns import SOON_SECONDS, Turns
from worker.errors import DatabaseUnavailable, DialerError
from worker.model import Ownership
from worker.owners.keeper import Keeper
from worker.supervisor import Supervisor, errand

log = logging.getLogger(__name__)

ATTEND_SECONDS = 0.3
"""How long the lease's greenlet waits for the work on one Asterisk: a row that somebody holds, a report that cannot be
written or a busy loop must not let the lease on all Asterisks run out."""
LAST_WORDS_SECONDS = 2.0
"""For writing the calls' reports before an Asterisk is given to another worker."""
SILENCE_SECONDS = 10.0
"""Silence of an Asterisk after which it is offered to the other workers."""
SILENCE_MOST_SECONDS = 80.0
"""Each offer in a row doubles that, up to this: an Asterisk that nobody can reach need not keep changing hands."""
HANDS_OFF_SECONDS = 2.0
"""How long an Asterisk that was offered is left to the others."""
OWNERS_FIRST_SECONDS = 3.0
"""After this worker could not renew its lease, how long it leaves Asterisks to their previous owners: they were cut off
from the same database, and only they know how the calls of that time ended."""
DEFAULT_TEMPLATE = "PJSIP/{number}@carrier"
"""The dial template of the trunk 'default' that the first start makes; the docker/ configuration has this endpoint."""


@dataclass
class _Owned:
    session: Session
    turns: Turns
    loops: Supervisor


class Fleet:
    """Session and dialling of each Asterisk that this worker owns."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, keeper: Keeper) -> None:
        self._settings = settings
        self._owners = Owners(database)
        self._trunks = Trunks(database)
        self._database = database
        self._clock = clock
        self._keeper = keeper
        self._owned: dict[str, _Owned] = {}
        self._offers = {one.name: Backoff(SILENCE_SECONDS, SILENCE_MOST_SECONDS) for one in settings.asterisks}
        """Offers in a row, for each Asterisk; the delay before the next one is the silence to tolerate until then."""
        self._hands_off: dict[str, float] = {}
        """Asterisks left to others: do not take them before this instant of the machine's monotonic clock."""
        self._unsure: set[str] = set()
        """Asterisks whose ownership has to be confirmed."""
        self._met = False
        """Has it been in touch with the database before?"""
        self._errands: dict[str, gevent.Greenlet[..., None]] = {}
        """The work under way for each Asterisk."""
        self._failures = {one.name: Backoff(most=5.0) for one in settings.asterisks}
        self._outages = {
            one.name: Outage(log, "attend_failed", "an Asterisk cannot be taken or kept", "Asterisks are taken again")
            for one in settings.asterisks
        }

    def sessions(self) -> list[Session]:
        """The Asterisks in hand."""
        return [owned.session for owned in self._owned.values()]

    def wake(self, project_id: str = "", *, look_again: bool = False) -> None:
        """The cases of a project (or of any: '') have changed: wake every Asterisk's dialling. `look_again`: it should
        also check again what failed before."""
        for owned in self._owned.values():
            owned.session.notices.put(CasesChanged(project_id))
            if look_again:
                owned.session.notices.put(LookAgain())

    def turn(self) -> None:
        """Keep the lease; take what is free, let go what is lost. Raises DatabaseUnavailable.

        The lease is for all Asterisks. The rest is done for each by itself, and goes on in the background if it takes
        long.
        """
        late = self._keeper.beat()
        if late and self._met:
            until = time.monotonic() + OWNERS_FIRST_SECONDS
            self._hands_off |= {one.name: until for one in self._settings.asterisks if one.name not in self._owned}
        self._met = True
        for settings in self._settings.asterisks:
            if late:
                self._unsure.add(settings.name)
            resting = self._failures[settings.name].left(time.monotonic()) > 0
            busy = settings.name in self._errands and not self._errands[settings.name].ready()
            if not busy and not resting:
                self._errands[settings.name] = errand(self._attend, settings)
        gevent.joinall(list(self._errands.values()), timeout=ATTEND_SECONDS)

    def _attend(self, settings: AsteriskSettings) -> None:
        """Take an Asterisk that is free, confirm it if necessary, or offer it."""
        name = settings.name
        try:
            owned = self._owned.get(name)
            if owned is None:
                self._try_to_own(settings)
            elif name in self._unsure or owned.session.ledger.disowned:
                self._confirm(settings, owned)
            else:
                self._offer_if_out_of_reach(name, owned)
            self._unsure.discard(name)
        except DatabaseUnavailable:
            pass  # Database has logged it, and the next turn tries again
        except Exception as error:
            self._failures[name].failed(time.monotonic())
            self._outages[name].failed(str(error), None if isinstance(error, DialerError) else error, asterisk=name)
            self._tell(name, f"it cannot be taken or kept: {error}")
        else:
            self._outages[name].worked(asterisk=name)
            if self._failures[name].over():
                self._tell(name, None)

    def _tell(self, name: str, trouble: str | None) -> None:
        owned = self._owned.get(name)
        if owned is not None:
            owned.session.troubles.note("asterisk", name, "own", trouble)

    def tell(self, kind: str, subject: str, step: str, trouble: str | None) -> None:
        """Report to readers, with each Asterisk in hand, something that concerns them all."""
        for session in self.sessions():
            session.troubles.note(kind, subject, step, trouble)

    def close(self) -> None:
        """Let all Asterisks go: give back what was not dialled, and write the calls' reports, as far as possible."""

        gevent.joinall(list(self._errands.values()))
        gevent.joinall([errand(self._leave, name) for name in list(self._owned)])

    def _leave(self, name: str) -> None:
        owned = self._let_go(name)
        for last in (owned.turns.close, owned.session.ledger.flush):
            try:
                last()
            except (DialerError, DBAPIError) as error:
                # Signing off gives claims back, and the next owner finds out how calls ended.
                log.error("left in the middle", extra={"action": "stop", "asterisk": name, "why": str(error)})

    def _try_to_own(self, settings: AsteriskSettings) -> None:
        if time.monotonic() < self._hands_off.get(settings.name, 0.0):
            return
        owner = self._keeper.own(settings.name)
        if owner is not None:
            self._take(settings, owner)

    def _confirm(self, settings: AsteriskSettings, owned: _Owned) -> None:
        owner = self._keeper.own(settings.name)
        if owner == owned.session.owner:
            # Nobody else has had it. A report may still have been refused, as the lease was over for a while.
            owned.session.confirmed()
            return
        self._let_go(settings.name)
        log.warning("no longer owner of Asterisk", extra={"action": "disowned", "asterisk": settings.name})
        if owner is not None:
            self._take(settings, owner)

    def _offer_if_out_of_reach(self, name: str, owned: _Owned) -> None:
        if owned.session.ready:
            self._offers[name].over()
        silent = owned.session.client.silent_seconds()
        if silent < self._offers[name].delay:
            return
        # Write the calls' reports while that is allowed: the next owner starts from the ledger.
        owned.session.ledger.flush(LAST_WORDS_SECONDS)
        if not self._owners.yield_asterisk(owned.session.owner, owned.session.why_down()):
            return
        log.warning(
            "Asterisk is out of reach, offered to the other workers",
            extra={"action": "yield", "asterisk": name, "silent_seconds": round(silent, 1)},
        )
        now = time.monotonic()
        self._offers[name].failed(now)
        self._hands_off[name] = now + HANDS_OFF_SECONDS
        self._let_go(name)

    def _take(self, settings: AsteriskSettings, owner: Ownership) -> None:
        self._trunks.ensure(settings.name, DEFAULT_TEMPLATE)
        log.info("owner of Asterisk", extra={"action": "own", "asterisk": settings.name, "epoch": owner.epoch})
        session = Session(settings, self._database, self._clock, owner, f"d{owner.worker_id}")
        turns = Turns(session, self._database, self._clock, self._keeper.may_dial, self._settings.worker.poll_seconds)
        session.start()
        tell = partial(session.troubles.note, "asterisk", settings.name)
        loops = Supervisor(session.stopped, clock=self._clock, tell=tell)
        self._owned[settings.name] = _Owned(session, turns, loops)
        loops.keep("dialling", partial(self._dial, session, turns))

    def _let_go(self, name: str) -> _Owned:
        owned = self._owned.pop(name)
        owned.session.stop()
        owned.loops.join()
        return owned

    def _dial(self, session: Session, turns: Turns) -> None:
        begun = self._clock.monotonic()
        self._clock.wait(session.notices.arrived, turns.turn())
        self._clock.sleep(begun + SOON_SECONDS - self._clock.monotonic())
