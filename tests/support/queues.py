"""An operator at Asterisk's console: queues and their members, changed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.containers import AsteriskContainer

_FILE = "/etc/asterisk/site/queues.conf"


@contextmanager
def extra_queue(asterisk: AsteriskContainer, name: str, *lines: str) -> Iterator[None]:
    """Within the block there is one more queue, with these lines in its section; reloaded as an operator would."""
    section = "\n".join((f"[{name}](dialer-queue)", *lines))
    _run(asterisk, f'cp -p {_FILE} {_FILE}.before && printf "%s\\n" "$1" >> {_FILE}', section)
    try:
        asterisk.command("module reload app_queue.so")
        yield
    finally:
        _run(asterisk, f"mv {_FILE}.before {_FILE}")
        asterisk.command("module reload app_queue.so")


@contextmanager
def paused(asterisk: AsteriskContainer, member: str, queue: str) -> Iterator[None]:
    """Within the block this member takes no calls of this queue."""
    asterisk.command(f"queue pause member {member} queue {queue}")
    try:
        yield
    finally:
        asterisk.command(f"queue unpause member {member} queue {queue}")


def _run(asterisk: AsteriskContainer, script: str, *arguments: str) -> None:
    result = asterisk.exec(["sh", "-ec", script, "sh", *arguments])
    if result.exit_code != 0:
        raise RuntimeError(f"{script!r} ended with {result.exit_code}: {result.output.decode(errors='replace')}")
