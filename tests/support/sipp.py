"""SIPp as the carrier and as the agents' phones, and what it saw.

    with Carrier(asterisk.carrier_port, tmp_path) as carrier:
        …
        assert {call.number for call in carrier.calls()} == {…}

SIPp's own log is the second witness of every call: what left Asterisk, when, and how it ended, whatever the dialer
believes. A retransmitted INVITE has the Call-ID of the first one and is no second call.
"""

from __future__ import annotations

import errno
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.containers import REMEDY, MissingServerError, free_ports
from tests.support.sipp_scenarios import (
    AGENT,
    LOG_LINE,
    SUBSCRIBERS,
    Answer,
    Behaviour,
    Behaviours,
    Refuse,
    recording,
    recording_name,
    scenario,
)
from tests.support.waiting import wait_for

_LOCALHOST = "127.0.0.1"
_NO_ERROR = re.compile(
    # SIPp files under errors that someone was not hung up on in time: that is how our subscribers ring and talk.
    r"The following events occurred:"
    r"|[\d-]+\s[\d:.]+\s[\d.]+: Call-Id: \S+, receive timeout on message \S+, jumping to label \d+"
)


@dataclass
class SippCall:
    """One INVITE as SIPp saw it. Instants are seconds since 1970, by this machine's clock."""

    number: str
    """The called user: a number, or agent1 …"""
    call_id: str
    at: float
    """When the INVITE arrived."""
    answered_at: float | None = None
    """When our 200 was acknowledged."""
    ended_at: float | None = None
    end: str | None = None
    """How: caller or callee (who hung up), cancelled (before the answer), or the SIP code it was refused with."""


class Sipp:
    """One SIPp that takes calls on a port of 127.0.0.1 and behaves as a table says."""

    name = "sipp"

    def __init__(self, port: int, directory: Path, behaviours: Behaviours, otherwise: Behaviour) -> None:
        """`directory` takes scenarios and logs; several SIPps may share it."""
        self.port = port
        self._usual = (dict(behaviours), otherwise)
        self._directory = directory
        self._media_port = free_ports(8)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self, behaviours: Behaviours | None = None, otherwise: Behaviour | None = None) -> None:
        """Returns when SIPp takes calls. Without arguments it behaves as it did when it was made."""
        if self._process is not None:
            raise RuntimeError(f"SIPp ({self.name}) runs already; stop it first")
        sipp = shutil.which("sipp")
        if sipp is None:
            raise MissingServerError(f"SIPp is not installed. {REMEDY}")
        self._starts += 1
        usual, usual_otherwise = self._usual
        xml = self._file("xml")
        table = usual if behaviours is None else behaviours
        xml.write_text(scenario(self.name, table, otherwise or usual_otherwise))
        for behaviour in (*table.values(), otherwise or usual_otherwise):
            if isinstance(behaviour, Answer) and behaviour.says:
                (self._directory / recording_name(behaviour.says)).write_bytes(recording(behaviour.says))
        self._log_file.touch()
        options = {
            "-sf": str(xml),
            "-i": _LOCALHOST,
            "-p": str(self.port),
            "-mp": str(self._media_port),
            "-log_file": str(self._log_file),
            "-error_file": str(self._file("err")),
            # A message that comes while SIPp is between two steps is unexpected; by default that ends the call, and
            # with it what the log says of it. Left alone it is sent again.
            "-default_behaviors": "none",
        }
        with self._file("out").open("wb") as out:
            self._process = subprocess.Popen(
                [sipp, "-nostdin", *(part for pair in options.items() for part in pair), "-trace_logs", "-trace_err"],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._takes_calls, 10, lambda: f"SIPp ({self.name}) to take calls. It said:\n{self.errors()}")

    def stop(self) -> None:
        """Ends SIPp at once; calls that are up lose their other end. Without effect if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()  # asked politely it would wait for its calls to end
        process.wait(10)

    @contextmanager
    def behaving(self, otherwise: Behaviour, behaviours: Behaviours | None = None) -> Iterator[None]:
        """Within the block every number behaves like `otherwise` (but those in `behaviours`); then as before."""
        self.stop()
        self.start(behaviours or {}, otherwise)
        try:
            yield
        finally:
            self.stop()
            self.start()

    def calls(self) -> list[SippCall]:
        """All calls since it was made, over restarts, in the order in which they came."""
        calls: dict[str, SippCall] = {}
        for log in sorted(self._directory.glob(f"{self.name}-{self.port}-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                found = LOG_LINE.search(line)
                if found is None:
                    continue
                call_id, detail = found["call_id"], found["detail"]
                at = float(found["seconds"]) + float(found["micros"]) / 1e6
                if found["what"] == "invite":
                    calls.setdefault(call_id, SippCall(detail, call_id, at))
                elif found["what"] == "answer":
                    calls[call_id].answered_at = at
                elif found["what"] == "end":
                    calls[call_id].ended_at, calls[call_id].end = at, detail
        return sorted(calls.values(), key=lambda call: call.at)

    def wait_for_calls(self, count: int, seconds: float = 10) -> list[SippCall]:
        """The calls, once there are at least so many of them."""
        wait_for(
            lambda: len(self.calls()) >= count, seconds, lambda: f"{count} calls at the {self.name}: {self.calls()}"
        )
        return self.calls()

    def wait_until_over(self, seconds: float = 30) -> list[SippCall]:
        """The calls, once each of them has ended."""

        def going_on() -> list[SippCall]:
            return [call for call in self.calls() if call.end is None]

        wait_for(
            lambda: not going_on(),
            seconds,
            lambda: f"the calls of the {self.name} to end: {going_on()}. It said:\n{self.errors()}",
        )
        return self.calls()

    def errors(self) -> str:
        """What SIPp complained about since its last start; empty when all is well."""
        log = self._file("err")
        texts = [_NO_ERROR.sub("", log.read_text(errors="replace")).strip()] if log.exists() else []
        if self._process is not None and self._process.poll() is not None:
            texts.append(f"It ended with {self._process.returncode}:\n{self._file('out').read_text(errors='replace')}")
        return "\n".join(texts)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _log_file(self) -> Path:
        return self._file("log")

    def _file(self, kind: str) -> Path:
        return self._directory / f"{self.name}-{self.port}-{self._starts:03d}.{kind}"

    def _takes_calls(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"SIPp ({self.name}) ended while it started. {self.errors()}")
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind((_LOCALHOST, self.port))
            except OSError as error:
                return error.errno == errno.EADDRINUSE
        return False


class Carrier(Sipp):
    """The carrier behind PJSIP/<number>@carrier: the number's first two digits say what its subscriber does."""

    name = "carrier"

    def __init__(
        self,
        port: int,
        directory: Path,
        behaviours: Behaviours = SUBSCRIBERS,
        otherwise: Behaviour = Refuse(404),  # noqa: B008  # frozen
    ) -> None:
        super().__init__(port, directory, behaviours, otherwise)


class Agents(Sipp):
    """The phones PJSIP/agent1 … of the queues' agents."""

    name = "agents"

    def __init__(
        self, port: int, directory: Path, behaviours: Behaviours | None = None, otherwise: Behaviour = AGENT
    ) -> None:
        """`behaviours`: for agents unlike the others, e.g. {"agent4@": Ring()}."""
        super().__init__(port, directory, behaviours or {}, otherwise)
