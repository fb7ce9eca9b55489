"""How much CPU an AMI client spends on an event: ours, panoramisk and asterisk-ami in the same run.

End to end over a loopback socket: login, then the recorded events of 200 calls twenty times over, as fast as
the client reads, and a callback that does what a dialer does (picks the wanted names, reads four or five
fields). Every client runs in a process of its own and tells the CPU time of that process (all threads)
between FullyBooted and the last event. Rounds are interleaved, so a busy neighbour hits all three alike; the
median of the rounds counts.

    python -m benchmarks.ami_parsing [--rounds 5]        needs the extra `bench`
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CAPTURE = Path(__file__).parents[1] / "tests" / "data" / "ami" / "mixed-200-calls.txt"
REPEATS = 20
CLIENTS = ("ours", "asterisk-ami", "panoramisk")
GOALS = {"asterisk-ami": 2.5, "panoramisk": 6.0}
LAST = "BenchmarkEnd"

_CHANNEL = ("Uniqueid", "Linkedid", "Channel", "AccountCode")
_DIAL = ("DestUniqueid", "DestLinkedid", "DestChannel", "DialStatus")
_QUEUE = ("Uniqueid", "Linkedid", "Queue", "Position")
_AGENT = ("Uniqueid", "Linkedid", "Queue", "Interface", "DestUniqueid")
_MEMBER = ("Queue", "Interface", "Status", "Paused", "InCall")
READS: dict[str, tuple[str, ...]] = {
    "Newchannel": _CHANNEL,
    "Newstate": (*_CHANNEL, "ChannelState"),
    "Hangup": (*_CHANNEL, "Cause"),
    "DialState": _DIAL,
    "DialEnd": _DIAL,
    "OriginateResponse": ("ActionID", "Response", "Reason", "Uniqueid"),
    "QueueCallerJoin": _QUEUE,
    "QueueCallerLeave": _QUEUE,
    "QueueCallerAbandon": (*_QUEUE, "HoldTime"),
    "AgentCalled": _AGENT,
    "AgentRingNoAnswer": _AGENT,
    "AgentConnect": _AGENT,
    "AgentComplete": _AGENT,
    "QueueMemberStatus": _MEMBER,
    "QueueMemberPause": _MEMBER,
    "QueueMemberAdded": _MEMBER,
    "QueueMemberRemoved": _MEMBER,
    "UserEvent": ("UserEvent", "Uniqueid"),
    "FullyBooted": ("Uptime",),
    "Shutdown": ("Shutdown",),
    "Reload": ("Module",),
}


class Measurement:
    """The dialer-like callback, the same for all: counts, and reads the fields."""

    def __init__(self) -> None:
        self.events = 0
        self.characters = 0
        self.begin = 0.0
        self.seconds: float | None = None

    def take(self, name: str, get: Callable[[str, str], str]) -> None:
        keys = READS.get(name)
        if keys is None:
            return
        for key in keys:
            self.characters += len(get(key, ""))
        self.events += 1
        if name == "UserEvent" and get("UserEvent", "") == LAST:
            self.seconds = time.process_time() - self.begin

    def start(self) -> None:
        self.begin = time.process_time()


# A client is imported in its own process only, and gevent patches before anything else is imported.


def run_ours(port: int, measurement: Measurement) -> None:
    from gevent import monkey  # noqa: PLC0415

    monkey.patch_all()
    from worker.ami.client import AmiClient, LinkUp  # noqa: PLC0415
    from worker.ami.message import Message  # noqa: PLC0415

    client = AmiClient("127.0.0.1", port, "bench", "bench", timeout=10.0, wanted=frozenset(READS))
    client.start()
    assert isinstance(client.inbox.get(timeout=10), LinkUp)
    measurement.start()
    get = client.inbox.get
    while measurement.seconds is None:
        event = get()
        assert isinstance(event, Message), event
        measurement.take(event.name, event.get)


def run_asterisk_ami(port: int, measurement: Measurement) -> None:
    from asterisk.ami import AMIClient  # noqa: PLC0415

    done = threading.Event()

    def on_event(event: Any, **_: object) -> None:
        if measurement.begin == 0.0 and event.name == "FullyBooted":
            measurement.start()
            return
        measurement.take(event.name, event.keys.get)
        if measurement.seconds is not None:
            done.set()

    client = AMIClient(address="127.0.0.1", port=port)
    client.add_event_listener(on_event)
    client.login("bench", "bench")
    assert done.wait(120)


def run_panoramisk(port: int, measurement: Measurement) -> None:
    import asyncio  # noqa: PLC0415

    from panoramisk import Manager  # noqa: PLC0415

    async def read() -> None:
        done = asyncio.Event()

        def on_event(_: Any, event: Any) -> None:
            name = event["event"]
            if measurement.begin == 0.0 and name == "FullyBooted":
                measurement.start()
                return
            measurement.take(name, event.get)
            if measurement.seconds is not None:
                done.set()

        manager = Manager(
            loop=asyncio.get_running_loop(), host="127.0.0.1", port=port, username="bench", secret="bench"
        )
        manager.register_event("*", on_event)
        await manager.connect()
        await asyncio.wait_for(done.wait(), 120)

    asyncio.run(read())


RUNNERS: dict[str, Callable[[int, Measurement], None]] = {
    "ours": run_ours,
    "asterisk-ami": run_asterisk_ami,
    "panoramisk": run_panoramisk,
}


def recorded_events() -> tuple[bytes, int]:
    """All events of the capture, REPEATS times, with the last one that stops the watch; and their number."""
    blocks = CAPTURE.read_bytes().partition(b"\r\n")[2].split(b"\r\n\r\n")
    events = [block for block in blocks if block.startswith(b"Event: ") and b"FullyBooted" not in block]
    end = b"Event: UserEvent\r\nUserEvent: " + LAST.encode() + b"\r\n\r\n"
    return b"".join(event + b"\r\n\r\n" for event in events * REPEATS) + end, len(events) * REPEATS + 1


def serve_once(listener: socket.socket, stream: bytes) -> None:
    """Play Asterisk for one client, any way of login."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"Asterisk Call Manager/5.0.4\r\n")
        buffer = b""
        action = ""
        while action != "login":
            while b"\r\n\r\n" not in buffer:
                buffer += connection.recv(65536)
            block, _, buffer = buffer.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in block.decode().split("\r\n"))
            action = fields["Action"].lower()
            reply = f"Response: Success\r\nActionID: {fields['ActionID']}\r\nChallenge: 1\r\n\r\n"
            connection.sendall(reply.encode())
        connection.sendall(b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\n\r\n")
        try:
            connection.sendall(stream)
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass  # the client has seen the last event and left


def measure(client: str, stream: bytes) -> dict[str, float]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve_once, args=(listener, stream), daemon=True)
        server.start()
        command = [sys.executable, "-m", "benchmarks.ami_parsing", "--client", client]
        command += ["--port", str(listener.getsockname()[1])]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout
        server.join(10)
    result: dict[str, float] = json.loads(output)
    return result


def report(rounds: int) -> bool:
    """Print the table; whether both goals are met."""
    stream, total = recorded_events()
    results: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
    for _ in range(rounds):
        for client in CLIENTS:
            results[client].append(measure(client, stream))
    print(f"{total} events, {len(stream) / 1e6:.1f} MB, {rounds} interleaved rounds, CPU time of the client")
    print(f"{'client':<14}{'us/event':>10}{'best':>8}{'events/CPU s':>15}{'handled':>9}{'ours is':>9}")
    micros = {client: [run["seconds"] / total * 1e6 for run in runs] for client, runs in results.items()}
    ours = statistics.median(micros["ours"])
    met = True
    for client in CLIENTS:
        median = statistics.median(micros[client])
        ratio = "" if client == "ours" else f"{median / ours:.2f}x"
        handled, seen = int(results[client][0]["events"]), results[client][0]["characters"]
        best, rate = min(micros[client]), 1e6 / median
        print(f"{client:<14}{median:>10.2f}{best:>8.2f}{rate:>15,.0f}{handled:>9}{ratio:>9}")
        met = met and median / ours >= GOALS.get(client, 0.0)
        if (handled, seen) != (results["ours"][0]["events"], results["ours"][0]["characters"]):
            print(f"  {client} did not see the same events; the comparison is void")
            met = False
    goals = ", ".join(f">= {goal:g}x {client}" for client, goal in GOALS.items())
    print(f"goals {goals}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--client", choices=CLIENTS, help="internal: run one client and print its numbers")
    parser.add_argument("--port", type=int, default=0, help="internal")
    options = parser.parse_args()
    if options.client is None:
        return 0 if report(options.rounds) else 1
    measurement = Measurement()
    RUNNERS[options.client](options.port, measurement)
    numbers = {
        "seconds": measurement.seconds,
        "events": measurement.events,
        "characters": measurement.characters,
    }
    print(json.dumps(numbers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
