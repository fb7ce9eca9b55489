"""SIPp scenarios out of plain data: how subscribers and agents behave when they are called.

A scenario is one state machine for all calls to one SIP address; the dialled number decides the behaviour. SIPp
logs a line for each thing worth knowing (`LOG_LINE`), which `tests.support.sipp` reads back.

Needs nothing but Python, for the SIPp image makes its scenarios with it as well:

    python3 sipp_scenarios.py carrier > carrier.xml
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

LOG_LINE = re.compile(r"sipp-(?P<what>\w+) (?P<call_id>\S+) (?P<seconds>[\d.]+) (?P<micros>[\d.]+) (?P<detail>\S*)")
"""One logged fact: invite (detail: the number), answer, or end (detail: how)."""

REASONS = {
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


@dataclass(frozen=True)
class Answer:
    """Rings, answers, and stays on the line until Asterisk hangs up, or hangs up itself."""

    ring_ms: tuple[int, ...] = (300, 700, 1100, 1500)
    """How long it rings: one of these, by the number's last digit. A single 0: answers at once, without 180."""
    early_media: bool = False
    """183 with media instead of 180."""
    hang_up_after_ms: int | None = None
    says: tuple[int, ...] = ()
    """Heard of him once he has answered: ms of voice, of silence, of voice and so on, then only silence. Empty: not
    even that, no voice packets at all. SIPp must find `recording(says)` in the file `recording_name(says)`."""
    presses: tuple[tuple[int, str], ...] = ()
    """Keys (0-9, * or #), each with the ms since the answer or the key before it. By SIP INFO, for which SIPp needs
    neither root nor recordings of tones."""


@dataclass(frozen=True)
class Refuse:
    """Says no at once, with this SIP code."""

    code: int


@dataclass(frozen=True)
class Ring:
    """Never answers. silent: it does not even ring, there is only the 100."""

    silent: bool = False


Behaviour = Answer | Refuse | Ring
Behaviours = Mapping[str, Behaviour]
"""Beginning of the called user@ (a number's first digits, or "agent4@") -> what it does. The first match counts."""

SUBSCRIBERS: Behaviours = {
    "20": Answer(),
    "21": Answer(hang_up_after_ms=3000),
    "22": Refuse(486),
    "23": Ring(),
    "24": Refuse(603),
    "25": Refuse(404),
    "26": Refuse(503),
    "27": Answer(ring_ms=(2000,), early_media=True),
    "28": Refuse(480),
    "29": Ring(silent=True),
    "30": Answer(ring_ms=(0,)),
    "31": Refuse(500),
    "32": Refuse(484),
    "33": Refuse(403),
    "34": Refuse(488),
    "35": Refuse(410),
    "36": Answer(ring_ms=(0,), hang_up_after_ms=300),
}
"""What the carrier's numbers do, by their first two digits; all others do not exist."""

SPEAKERS: Behaviours = {
    "40": Answer(ring_ms=(0,), says=(600,)),
    "41": Answer(ring_ms=(0,), says=(500, 150, 400, 150, 700, 200, 900)),
    "42": Answer(ring_ms=(0,), says=(0, 1000)),
    "43": Answer(ring_ms=(0,), says=(500,), hang_up_after_ms=2000),
}
"""Numbers that AMD() can tell apart: a person, a machine, a silent line, a person who soon hangs up. Not among the
carrier's own, since SIPp wants their recordings beside its scenario."""

PRESSERS: Behaviours = {
    "60": Answer(ring_ms=(0,), presses=((400, "9"),)),
    "61": Answer(ring_ms=(0,), presses=((400, "1"),)),
    "62": Answer(ring_ms=(0,), presses=((400, "2"),)),
    "63": Answer(ring_ms=(0,), presses=((400, "#"), (400, "*"), (400, "9"))),
    "64": Answer(ring_ms=(0,), presses=((3000, "9"),)),
    "65": Answer(ring_ms=(0,), presses=((400, "5"),) * 9),
}
"""Numbers whose subscribers answer at once and press keys: 9, 1, 2; #, * and then 9; 9 after 3 s; 5 again and again."""

AGENT = Answer(ring_ms=(200, 300, 400, 500), hang_up_after_ms=1500)
"""An agent picks up quickly, talks a moment, and hangs up."""

_SDP = """v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [{port}] RTP/AVP 8 0
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
"""


_ALAW = 8  # payload type, RFC 3551
_ALAW_SILENCE = b"\xd5"
_ALAW_VOICE = b"\x8d" * 10 + b"\x0d" * 10
"""One period of a square wave of 400 Hz with an amplitude of 6272 of 32768: to a detector as good as a voice."""
_SAMPLES_PER_MS = 8


def recording(says: tuple[int, ...], tail_ms: int = 60_000) -> bytes:
    """G.711 A-law, 8000 samples a second: voice and silence in turn, so many ms of each, then `tail_ms` of silence."""
    parts = []
    for index, milliseconds in enumerate(says):
        samples = milliseconds * _SAMPLES_PER_MS
        sound = _ALAW_SILENCE if index % 2 else _ALAW_VOICE
        parts.append((sound * (samples // len(sound) + 1))[:samples])
    return b"".join(parts) + _ALAW_SILENCE * tail_ms * _SAMPLES_PER_MS


def recording_name(says: tuple[int, ...]) -> str:
    """The file's name in SIPp's working directory."""
    return f"says-{zlib.crc32(repr(says).encode()):08x}.alaw"


def scenario(name: str, behaviours: Behaviours, otherwise: Behaviour) -> str:
    """The XML of a UAS that treats each called number as the table says, all others as `otherwise`."""
    everyone = [*behaviours.items(), ("", otherwise)]
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', f"<scenario name={quoteattr(name)}>", _invite(everyone)]
    for index, (_, behaviour) in enumerate(everyone):
        parts.append(_label(f"behaviour{index}"))
        match behaviour:
            case Answer():
                parts.append(_answer(behaviour, f"b{index}"))
            case Refuse(code):
                parts.append(_refuse(code))
            case Ring(silent):
                parts.append(_ring(silent))
    parts += [_cancelled(), _label("end"), "</scenario>", ""]
    return "\n".join(parts)


def _invite(everyone: list[tuple[str, Behaviour]]) -> str:
    """Takes the INVITE, remembers what later messages need, and branches by the number."""
    find = '<ereg regexp={} search_in="hdr" header={} check_it={} assign_to="{}"/>'
    actions = [
        find.format('"sip:([^@]+)@"', '"To:"', '"true"', "to_uri,number"),
        find.format('"[0-9]+"', '"CSeq:"', '"true"', "cseq"),
        find.format('".*"', '"From:"', '"true"', "caller"),
        find.format('".*"', '"To:"', '"true"', "callee"),
        *(
            find.format(quoteattr(f"sip:{beginning}"), '"To:"', '"false"', f"is{index}")
            for index, (beginning, _) in enumerate(everyone)
        ),
        # The last digit, for the choice among several ring times.
        *(find.format(f'"{digit}@"', '"To:"', '"false"', f"digit{digit}") for digit in range(10)),
    ]
    branches = "\n".join(f'<nop next="behaviour{index}" test="is{index}"/>' for index in range(len(everyone)))
    # SIPp refuses a variable that is set and never read, as some are in some tables.
    unread = ",".join(["to_uri", "cseq", "caller", "callee", *(f"digit{digit}" for digit in range(10))])
    return (
        # rrs: remember the Contact, for our own BYE
        f'<recv request="INVITE" rrs="true"><action>{"".join(actions)}{_log("invite", "[$number]")}</action></recv>\n'
        f'<Reference variables="{unread}"/>\n'
        f"{branches}"
    )


def _answer(behaviour: Answer, prefix: str) -> str:
    rings = behaviour.ring_ms
    parts = []
    if rings != (0,):
        parts.append(_reply(183, "Session Progress", sdp=True) if behaviour.early_media else _reply(180, "Ringing"))
        parts += [
            f'<nop next="{prefix}ring{digit % len(rings)}" test="digit{digit}"/>'
            for digit in range(10)
            if digit % len(rings)
        ]
        for choice, milliseconds in enumerate(rings):
            # Waits for a CANCEL rather than pausing: SIPp would take one during a pause for an error.
            parts.append(_label(f"{prefix}ring{choice}"))
            limit = f'timeout="{milliseconds}" ontimeout="{prefix}answer"'
            parts.append(f'<recv request="CANCEL" {limit} next="cancelled"/>')
    hang_up = behaviour.hang_up_after_ms
    keys = len(behaviour.presses)
    limit = "" if hang_up is None else f' timeout="{hang_up}" ontimeout="{prefix}bye"'
    parts += [
        _label(f"{prefix}answer"),
        _reply(200, "OK", sdp=True, resend=True, speaks=bool(behaviour.says)),
        # A CANCEL that crossed our answer: confirm it, the answer stands.
        f'<recv request="CANCEL" optional="true" next="{prefix}late"/>',
        f'<recv request="ACK"><action>{_log("answer")}</action></recv>',
        _play(behaviour.says),
        *(_press(press, place, prefix) for place, press in enumerate(behaviour.presses, 1)),
        f'<recv request="BYE"{limit}><action>{_log("end", "caller")}</action></recv>',
        _reply(200, "OK", to_last=True, then="end"),
        # He wanted to cancel, so he hangs up at once; his ACK may have come while SIPp was between two steps.
        _label(f"{prefix}late"),
        _reply(200, "OK", to_last=True),
        f'<recv request="ACK" optional="true"><action>{_log("answer")}</action></recv>',
        f'<recv request="BYE"><action>{_log("end", "caller")}</action></recv>',
        _reply(200, "OK", to_last=True, then="end"),
    ]
    if hang_up is not None:
        parts += [
            _label(f"{prefix}bye"),
            f"<nop><action>{_log('end', 'callee')}</action></nop>",
            _request("BYE", keys + 1, "Content-Length: 0\n\n"),
            # Both hung up at the same moment: answer the other's BYE, ours needs no more answer.
            f'<recv request="BYE" optional="true" next="{prefix}both"/>',
            '<recv response="200" next="end"/>',
            _label(f"{prefix}both"),
            _reply(200, "OK", to_last=True, then="end"),
        ]
    return "\n".join(parts)


def _play(says: tuple[int, ...]) -> str:
    if not says:
        return ""
    return f'<nop><action><exec rtp_stream="{recording_name(says)},1,{_ALAW}"/></action></nop>'


def _press(press: tuple[int, str], place: int, prefix: str) -> str:
    """Waits for a BYE rather than pausing, as while it rings; if none comes, presses the key."""
    milliseconds, key = press
    key_down = f"Signal={key}\nDuration=100\n"
    info = _request("INFO", place, f"Content-Type: application/dtmf-relay\nContent-Length: [len]\n\n{key_down}")
    return "\n".join(
        [
            f'<recv request="BYE" timeout="{milliseconds}" ontimeout="{prefix}key{place}" next="{prefix}bye{place}">'
            f"<action>{_log('end', 'caller')}</action></recv>",
            _label(f"{prefix}bye{place}"),
            _reply(200, "OK", to_last=True, then="end"),
            _label(f"{prefix}key{place}"),
            info,
            # They may have been hung up on at the same moment: the BYE is answered below.
            f'<recv response="200" optional="true" next="{prefix}pressed{place}"/>',
            f'<recv response="481" optional="true" next="{prefix}pressed{place}"/>',
            f'<recv request="BYE" next="{prefix}bye{place}"><action>{_log("end", "caller")}</action></recv>',
            _label(f"{prefix}pressed{place}"),
        ]
    )


def _request(method: str, cseq: int, rest: str) -> str:
    """A request of the called side within the call. rest: the message's last headers, and its body."""
    return _send(
        f"{method} [next_url] SIP/2.0\n"
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        "From: [$callee];tag=[pid]T[call_number]\n"
        "To: [$caller]\n"
        "[last_Call-ID:]\n"
        f"CSeq: {cseq} {method}\n"
        "Max-Forwards: 70\n"
        f"{rest}",
        resend=True,
    )


def _refuse(code: int) -> str:
    return "\n".join(
        [
            _reply(code, REASONS[code], resend=True),
            f'<recv request="ACK" next="end"><action>{_log("end", str(code))}</action></recv>',
        ]
    )


def _ring(silent: bool) -> str:
    first = _reply(100, "Trying", tag=False) if silent else _reply(180, "Ringing")
    return f'{first}\n<recv request="CANCEL" next="cancelled"/>'


def _cancelled() -> str:
    """The caller gave up: both his requests get their answer."""
    return "\n".join(
        [
            _label("cancelled"),
            f"<nop><action>{_log('end', 'cancelled')}</action></nop>",
            _reply(200, "OK", to_last=True),
            _reply(487, "Request Terminated", resend=True),
            '<recv request="ACK" next="end"/>',
        ]
    )


def _label(name: str) -> str:
    return f'<label id="{name}"/>'


def _log(what: str, detail: str = "") -> str:
    return (
        '<gettimeofday assign_to="seconds,micros"/>'
        f'<log message="sipp-{what} [call_id] [$seconds] [$micros] {detail}"/>'
    )


def _reply(
    code: int,
    reason: str,
    *,
    sdp: bool = False,
    resend: bool = False,
    tag: bool = True,
    to_last: bool = False,
    speaks: bool = False,
    then: str = "",
) -> str:
    """A response to the INVITE, or to the last request (CANCEL, BYE). resend: until it is acknowledged. speaks: voice
    comes from a port of the call's own. then: the label where it goes on."""
    to = "[last_To:]" if to_last or not tag else "[last_To:];tag=[pid]T[call_number]"
    description = _SDP.replace("{port}", "rtpstream_audio_port" if speaks else "media_port")
    cseq = "[last_CSeq:]" if to_last else "CSeq: [$cseq] INVITE"
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{description}" if sdp else "Content-Length: 0\n\n"
    return _send(
        f"SIP/2.0 {code} {reason}\n[last_Via:]\n[last_From:]\n{to}\n[last_Call-ID:]\n{cseq}\n"
        f"Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n{body}",
        resend=resend,
        then=then,
    )


def _send(message: str, *, resend: bool = False, then: str = "") -> str:
    attributes = (' retrans="500"' if resend else "") + (f' next="{then}"' if then else "")
    return f"<send{attributes}><![CDATA[\n{message}]]></send>"


def main(arguments: list[str]) -> int:
    """Prints the scenario `carrier` or `agents`."""
    match arguments:
        case ["carrier"]:
            text = scenario("carrier", SUBSCRIBERS, Refuse(404))
        case ["agents"]:
            text = scenario("agents", {}, AGENT)
        case _:
            sys.stderr.write(f"usage: sipp_scenarios.py carrier|agents; not {escape(' '.join(arguments))!r}\n")
            return 2
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
