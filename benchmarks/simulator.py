"""How many calls a second the simulated Asterisk plays on one core, driven over a bare socket.

    python benchmarks/simulator.py [--calls 20000] [--rate 1000] [--mode progressive|autoinforming]

The simulator runs in this process, its driver (which only writes Originates and counts bytes) in a child, so
that the CPU time printed is the simulator's own. Prints calls per CPU second and the rate held in real time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import time

import gevent

from simulator import SimulatedAsterisk, call_centre
from worker.clock import SystemClock


def drive(port: int, calls: int, rate: float, context: str, done: multiprocessing.Queue[int]) -> None:
    """Log in, write `calls` Originates at `rate` a second, read until every OriginateResponse is in."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(b"Action: Login\r\nUsername: dialer\r\nSecret: dialersecret\r\n\r\n")
    link.setblocking(False)
    sent, answered, received = 0, 0, 0
    started = time.monotonic()
    tail = b""
    while answered < calls:
        due = min(calls, int((time.monotonic() - started) * rate)) - sent
        if due > 0:
            text = "".join(_originate(sent + n, context) for n in range(due))
            link.setblocking(True)
            link.sendall(text.encode())
            link.setblocking(False)
            sent += due
        try:
            data = link.recv(1 << 20)
        except BlockingIOError:
            time.sleep(0.002)
            continue
        received += len(data)
        window = tail + data
        answered += window.count(b"Event: OriginateResponse") - tail.count(b"Event: OriginateResponse")
        tail = window[-23:]
    done.put(received)
    link.close()


def _originate(n: int, context: str) -> str:
    return (
        f"Action: Originate\r\nActionID: bench-{n}\r\nChannel: PJSIP/{7_000_000 + n}@carrier\r\n"
        f"Context: {context}\r\nExten: s\r\nPriority: 1\r\nTimeout: 20000\r\nAsync: true\r\n"
        f"ChannelId: c{n:032x}\r\n"
        "CallerID: Dialer <74950000>\r\nAccount: dialer\r\nVariable: __DIALER_PROJECT=p\r\n"
        f"Variable: __DIALER_CASE={n}\r\nVariable: __DIALER_ATTEMPT={n}\r\nVariable: __DIALER_QUEUE=sales\r\n"
        "Variable: __DIALER_NAME=\r\n\r\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--mode", choices=("progressive", "autoinforming"), default="progressive")
    parser.add_argument("--agents", type=int, default=500)
    options = parser.parse_args()
    # People twenty times as quick as in life: calls reach their end within the run.
    asterisk = SimulatedAsterisk(call_centre(agents=options.agents, speed=20.0), SystemClock(), seed=1)
    asterisk.keep_log = False
    port = asterisk.serve()
    done: multiprocessing.Queue[int] = multiprocessing.get_context("spawn").Queue()
    driver = multiprocessing.get_context("spawn").Process(
        target=drive, args=(port, options.calls, options.rate, options.mode, done)
    )
    driver.start()
    while not asterisk.statistics.originated:
        gevent.sleep(0.01)
    cpu, wall = time.process_time(), time.monotonic()
    while driver.is_alive():
        gevent.sleep(0.05)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    driver.join()
    numbers = asterisk.statistics
    calls = numbers.originated
    print(
        f"{options.mode}: {calls} calls, {numbers.events / calls:.1f} events and "
        f"{done.get() / calls / 1024:.1f} KiB a call, {numbers.channels_peak} channels at the peak"
    )
    print(
        f"asked for {options.rate:,.0f} calls/s, took {cpu / wall:.0%} of a core over {wall:.0f} s: "
        f"{calls / cpu:,.0f} calls per CPU second ({cpu / calls * 1e6:,.0f} us a call)"
    )
    asterisk.stop()


if __name__ == "__main__":
    main()
