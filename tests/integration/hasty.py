"""The dialer with time-outs of a tenth, for tests that outlast them: `python -m tests.integration.hasty`."""

from __future__ import annotations

import sys

from dialer.__main__ import main  # first: it patches the process
from worker.calls import ledger
from worker.db import mariadb, postgresql
from worker.db.routines import owners, upkeep
from worker.dialling import hopper, pacer

if __name__ == "__main__":
    for module in (mariadb, postgresql):
        vars(module)["LOCK_SECONDS"] = 1  # MariaDB's are whole seconds, so that is the least
    for module, names in (
        (hopper, ("ASK_SECONDS",)),
        (ledger, ("WRITE_SECONDS",)),
        (pacer, ("WRITE_SECONDS",)),
        (owners, ("TELL_SECONDS", "OWN_SECONDS")),
        (upkeep, ("TELL_SECONDS",)),
    ):
        for name in names:
            setattr(module, name, getattr(module, name) / 10)
    sys.exit(main())
