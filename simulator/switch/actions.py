"""AMI actions: bytes to an action, an action to its reply. No sockets.

The texts are those of Asterisk 16.28 (main/manager.c, apps/app_queue.c, main/pbx.c); tests/contract holds
them against the real one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import gmtime, strftime
from typing import Protocol

from simulator.scenario import SAFE_HARBOUR, User
from simulator.switch.calls import UNAVAILABLE, OriginateRequest
from simulator.switch.events import UNKNOWN
from simulator.switch.switch import Switch, matches

VERSION = "16.28.0~dfsg-0+deb11u4"
CRLF = "\r\n"
BANNER = b"Asterisk Call Manager/5.0.4\r\n"
_MAX_LINE = 1022  # bytes before CRLF (sizeof(session->inbuf) - 2)
_MAX_LINES = 128
_MAX_UNIQUEID = 149
_SPECIAL = frozenset(',\\"([')  # what a Variable header without them cannot be split at
_NO_TIMEOUT = 86_400.0  # seconds; Asterisk takes a Timeout of 0 or less as none


@dataclass(slots=True)
class Action:
    """One action as received: pairs in order, keys in lower case."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    fault: str = ""  # why it could not be parsed

    def get(self, key: str, default: str = "") -> str:
        """The first value of `key`, as Asterisk takes it."""
        for name, value in self.pairs:
            if name == key:
                return value
        return default

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.pairs if name == key]

    @property
    def id_line(self) -> str:
        """The ActionID to echo, as a line, or nothing."""
        action_id = self.get("actionid")
        return f"ActionID: {action_id}\r\n" if action_id else ""


class Parser:
    """Bytes in any portions to actions. Lines end with CRLF or LF alone, an action with an empty line."""

    def __init__(self) -> None:
        self._rest = b""
        self._action = Action()

    def feed(self, data: bytes) -> list[Action]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        actions = []
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if len(line) > _MAX_LINE:
                self._action.fault = self._action.fault or "Failed to parse message: line too long"
            elif not line:
                actions.append(self._action)
                self._action = Action()
            elif len(self._action.pairs) >= _MAX_LINES:
                self._action.fault = "Too many lines in message or allocation failure"
            else:
                # A NUL ends a line: Asterisk's strings do.
                key, _, value = line.partition(b"\0")[0].decode("utf-8", "surrogateescape").partition(":")
                self._action.pairs.append((key.strip().lower(), value.strip()))
        return actions


class Session(Protocol):
    """What an action may see and change of the connection that it came over."""

    user: User | None
    challenge: str
    events: frozenset[str] | None  # classes; None: all

    def close(self) -> None: ...

    def log_in(self, user: User) -> None: ...

    def refuse(self, reply: str) -> None:
        """Send `reply` after a second and close, as Asterisk punishes a bad login."""


class Shutdown(Protocol):
    """Whether the simulated Asterisk is going down."""

    shutting_down: bool


def error(action: Action, text: str) -> str:
    return f"Response: Error\r\n{action.id_line}Message: {text}\r\n\r\n"


def success(action: Action, text: str) -> str:
    return f"Response: Success\r\n{action.id_line}Message: {text}\r\n\r\n"


def _listing(action: Action, text: str, items: Iterable[str], event: str, tail: str = "") -> str:
    found = list(items)
    return (
        f"Response: Success\r\n{action.id_line}EventList: start\r\nMessage: {text}\r\n\r\n{''.join(found)}"
        f"Event: {event}\r\n{action.id_line}EventList: Complete\r\nListItems: {len(found)}\r\n{tail}\r\n"
    )


Handler = Callable[["Actions", Action, Session], str]

_READ_ALL = frozenset({"system", "call", "agent", "user"})


class Actions:
    """The actions that the simulated Asterisk knows."""

    def __init__(self, switch: Switch, users: Iterable[User], state: Shutdown) -> None:
        self.switch = switch
        self.users = {user.name: user for user in users}
        self.state = state
        self._challenges = 0

    def perform(self, action: Action, session: Session) -> str:
        """The reply, whole. Some actions change the session; Originate and Hangup have their effect later."""
        if action.fault:
            return error(action, action.fault)
        name = action.get("action").lower()
        if not name:
            return error(action, "Missing action in request")
        if self.state.shutting_down:
            return error(action, "Asterisk is shutting down")
        if session.user is None and name not in ("login", "challenge", "logoff"):
            return error(action, "Permission denied")
        if session.user is not None and name == "login":
            return success(action, "Already authenticated")
        known = _HANDLERS.get(name)
        if known is None:
            text = f"Invalid/unknown command: {action.get('action')}. "
            return error(action, text + "Use Action: ListCommands to show available commands.")
        handler, classes = known
        if classes and session.user is not None and not (session.user.write & (classes | {"all"})):
            return error(action, "Permission denied")
        return handler(self, action, session)

    # --- session ------------------------------------------------------------------------------------------

    def _challenge(self, action: Action, session: Session) -> str:
        if action.get("authtype").upper() != "MD5":
            return error(action, "Must specify AuthType")
        if not session.challenge:
            self._challenges += 1
            digest = hashlib.blake2b(f"{self.switch.seed}/{self._challenges}".encode(), digest_size=4).digest()
            session.challenge = str(int.from_bytes(digest, "big") >> 1)
        return f"Response: Success\r\n{action.id_line}Challenge: {session.challenge}\r\n\r\n"

    def _login(self, action: Action, session: Session) -> str:
        user = self.users.get(action.get("username"))
        good = False
        if user is not None and action.get("authtype").upper() == "MD5":
            key = hashlib.md5(f"{session.challenge}{user.secret}".encode(), usedforsecurity=False).hexdigest()
            good = bool(session.challenge) and action.get("key") == key
        elif user is not None:
            good = action.get("secret") == user.secret
        if user is None or not good:
            session.refuse(error(action, "Authentication failed"))
            return ""
        if action.get("events"):
            session.events = _mask(action.get("events"))
        session.log_in(user)
        reply = success(action, "Authentication accepted")
        if user.read & {"system", "all"} and (session.events is None or "system" in session.events):
            up = int(self.switch.clock.time() - self.switch.booted)
            reply += (
                f"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: {up}\r\nLastReload: {up}\r\n"
                "Status: Fully Booted\r\n\r\n"
            )
        return reply

    def _logoff(self, action: Action, session: Session) -> str:
        session.close()
        return f"Response: Goodbye\r\n{action.id_line}Message: Thanks for all the fish.\r\n\r\n"

    def _ping(self, action: Action, session: Session) -> str:
        now = self.switch.clock.time()
        return f"Response: Success\r\n{action.id_line}Ping: Pong\r\nTimestamp: {now:.6f}\r\n\r\n"

    def _events(self, action: Action, session: Session) -> str:
        if not action.get("eventmask"):
            return error(action, "Invalid event mask")
        mask = _mask(action.get("eventmask"))
        session.events = mask
        return f"Response: Success\r\n{action.id_line}Events: {'On' if mask else 'Off'}\r\n\r\n"

    # --- the core -----------------------------------------------------------------------------------------

    def _core_settings(self, action: Action, session: Session) -> str:
        return (
            f"Response: Success\r\n{action.id_line}AMIversion: 5.0.4\r\n"
            f"AsteriskVersion: {VERSION}\r\nSystemName: \r\n"
            "CoreMaxCalls: 0\r\nCoreMaxLoadAvg: 0.000000\r\nCoreRunUser: \r\nCoreRunGroup: \r\n"
            "CoreMaxFilehandles: 65536\r\nCoreRealTimeEnabled: No\r\n"
            "CoreCDRenabled: No\r\nCoreHTTPenabled: No\r\n\r\n"
        )

    def _core_status(self, action: Action, session: Session) -> str:
        started = gmtime(self.switch.booted)
        day, clock = strftime("%Y-%m-%d", started), strftime("%H:%M:%S", started)
        return (
            f"Response: Success\r\n{action.id_line}CoreStartupDate: {day}\r\nCoreStartupTime: {clock}\r\n"
            f"CoreReloadDate: {day}\r\nCoreReloadTime: {clock}\r\n"
            f"CoreCurrentCalls: {len(self.switch.channels.calls)}\r\n\r\n"
        )

    def _core_show_channels(self, action: Action, session: Session) -> str:
        now = self.switch.clock.time()
        items = (
            channel.list_item(action.id_line, application, data, bridge, now)
            for channel, application, data, bridge in self.switch.channels.listed()
        )
        return _listing(action, "Channels will follow", items, "CoreShowChannelsComplete")

    def _originate(self, action: Action, session: Session) -> str:
        request = self.originate_request(action)
        if isinstance(request, str):
            return error(action, request)
        self.switch.originate(request)
        return success(action, "Originate successfully queued")

    def originate_request(self, action: Action) -> OriginateRequest | str:
        """The request, or the text of Asterisk's refusal. (Async only: a dialer never asks otherwise.)"""
        dial, context, exten = action.get("channel"), action.get("context"), action.get("exten")
        channel_id, priority = action.get("channelid"), action.get("priority")
        timeout = action.get("timeout", "30000")
        refusal, seconds = "", None
        if not dial:
            refusal = "Channel not specified"
        elif priority and not priority.isdigit():
            refusal = "Invalid priority"
        elif not (seconds := re.match(r"\s*[+-]?[0-9]{1,9}", timeout)):
            refusal = "Invalid timeout"
        elif "/" not in dial:
            refusal = "Invalid channel"
        elif len(channel_id.encode("utf-8", "surrogateescape")) > _MAX_UNIQUEID:
            refusal = f"Uniqueid length exceeds maximum of {_MAX_UNIQUEID}\n"  # the stray LF is Asterisk's
        elif context and exten and priority and not self.switch.exists(context, exten):
            refusal = "Extension does not exist."
        elif not (context and exten and priority) or action.get("async").lower() not in (
            "true",
            "yes",
            "1",
            "on",
        ):
            refusal = "The simulated Asterisk originates with Context, Exten, Priority and Async: true only."
        if refusal:
            return refusal
        number, person = _caller(action.get("callerid"))
        return OriginateRequest(
            action_id=action.id_line,
            dial=dial,
            context=context,
            exten=exten,
            timeout=int(seconds[0]) / 1000 if seconds and int(seconds[0]) > 0 else _NO_TIMEOUT,
            number=number,
            person=person,
            account=action.get("account"),
            channel_id=channel_id,
            variables=dict(_variables(action.all("variable"))),
        )

    def _hangup(self, action: Action, session: Session) -> str:
        channel = action.get("channel")
        if not channel:
            return error(action, "No channel specified")
        cause = action.get("cause")
        known = int(cause) if cause.isdigit() and int(cause) <= 127 else 0
        if not self.switch.hang_up(channel, known):
            return error(action, "No such channel")
        return success(action, "Channel Hungup")

    def _db_get(self, action: Action, session: Session) -> str:
        family, key = action.get("family"), action.get("key")
        if not family:
            return error(action, "No family specified.")
        if not key:
            return error(action, "No key specified.")
        value = self.switch.astdb.get((family, key))
        if value is None:
            return error(action, "Database entry not found")
        found = f"Event: DBGetResponse\r\nFamily: {family}\r\nKey: {key}\r\nVal: {value}\r\n{action.id_line}\r\n"
        return _listing(action, "Result will follow", [found], "DBGetComplete")

    def _db_del(self, action: Action, session: Session) -> str:
        if self.switch.astdb.pop((action.get("family"), action.get("key")), None) is None:
            return error(action, "Database entry not found")
        return success(action, "Key deleted successfully")

    def _setvar(self, action: Action, session: Session) -> str:
        """Of all variables and functions it knows DB_DELETE, which deletes though it is set, and DB, which 16 lets
        nobody set from outside (live_dangerously)."""
        name = action.get("variable")
        if not name:
            return error(action, "No variable specified")
        if action.get("channel") and self.switch.channels.find(action.get("channel")) is None:
            return error(action, "No such channel")
        function, bracket, argument = name.removesuffix(")").partition("(")
        if bracket and function != "DB_DELETE":
            return error(action, "Variable not set")
        if bracket:
            family, _, key = argument.partition("/")
            self.switch.astdb.pop((family, key), None)
        return success(action, "Variable Set")

    def _show_dialplan(self, action: Action, session: Session) -> str:
        wanted, exten = action.get("context"), action.get("extension")
        items, extensions, contexts = [], 0, 0
        for context in self.switch.contexts.values():
            kind = "safe-harbour" if context.name == SAFE_HARBOUR else context.does
            if wanted and context.name != wanted:
                continue
            contexts += 1
            for pattern in context.extensions:
                if exten and not matches(pattern, exten):
                    continue
                extensions += 1
                for priority, step in enumerate(_steps(kind, pattern), 1):
                    label, application, data = step
                    items.append(
                        f"Event: ListDialplan\r\n{action.id_line}Context: {context.name}\r\n"
                        f"Extension: {pattern}\r\n{f'ExtensionLabel: {label}' + CRLF if label else ''}"
                        f"Priority: {priority}\r\nApplication: {application}\r\nAppData: {data}\r\n"
                        "Registrar: pbx_config\r\n\r\n"
                    )
        if wanted and not contexts:
            return error(action, f"Did not find context {wanted}")
        if exten and not extensions:
            place = f"{exten}@{wanted}" if wanted else f"{exten} in any context"
            return error(action, f"Did not find extension {place}")
        tail = f"ListExtensions: {extensions}\r\nListPriorities: {len(items)}\r\nListContexts: {contexts}\r\n"
        return _listing(action, "DialPlan list will follow", items, "ShowDialPlanComplete", tail)

    # --- queues -------------------------------------------------------------------------------------------

    def _queue_status(self, action: Action, session: Session) -> str:
        now, items = self.switch.clock.time(), []
        for queue in self.switch.app_queue.queues.values():
            if action.get("queue") and queue.spec.name.lower() != action.get("queue").lower():
                continue
            items.append(
                f"Event: QueueParams\r\nQueue: {queue.spec.name}\r\nMax: 0\r\nStrategy: rrmemory\r\n"
                f"Calls: {len(queue.entries)}\r\n"
                f"Holdtime: {queue.hold_time}\r\nTalkTime: {queue.talk_time}\r\n"
                f"Completed: {queue.completed}\r\nAbandoned: {queue.abandoned}\r\nServiceLevel: 0\r\n"
                f"ServicelevelPerf: 0.0\r\nServicelevelPerf2: 0.0\r\nWeight: 0\r\n{action.id_line}\r\n"
            )
            wanted = action.get("member")
            items += [m.list_item(action.id_line) for m in queue.members if not wanted or m.interface == wanted]
            for position, entry in enumerate(queue.entries, 1):
                channel = entry.call.channel
                items.append(
                    f"Event: QueueEntry\r\nQueue: {queue.spec.name}\r\nPosition: {position}\r\n"
                    f"Channel: {channel.name}\r\nUniqueid: {channel.uniqueid}\r\n"
                    f"CallerIDNum: {channel.number}\r\n"
                    f"CallerIDName: {channel.person}\r\nConnectedLineNum: {channel.number}\r\n"
                    f"ConnectedLineName: {channel.person}\r\n"
                    f"Wait: {int(now) - int(entry.joined)}\r\nPriority: 0\r\n"
                    f"{action.id_line}\r\n"
                )
        return _listing(action, "Queue status will follow", items, "QueueStatusComplete")

    def _queue_summary(self, action: Action, session: Session) -> str:
        now, items = self.switch.clock.time(), []
        for queue in self.switch.app_queue.queues.values():
            if action.get("queue") and queue.spec.name.lower() != action.get("queue").lower():
                continue
            present = [m for m in queue.members if m.device.state != UNAVAILABLE]
            longest = max((int(now) - int(entry.joined) for entry in queue.entries), default=0)
            items.append(
                f"Event: QueueSummary\r\nQueue: {queue.spec.name}\r\nLoggedIn: {len(present)}\r\n"
                f"Available: {len(queue.ready)}\r\nCallers: {len(queue.entries)}\r\n"
                f"HoldTime: {queue.hold_time}\r\n"
                f"TalkTime: {queue.talk_time}\r\nLongestHoldTime: {longest}\r\n"
                f"{action.id_line}\r\n"
            )
        return _listing(action, "Queue summary will follow", items, "QueueSummaryComplete")

    def _queue_add(self, action: Action, session: Session) -> str:
        name, interface = action.get("queue"), action.get("interface")
        if not name:
            return error(action, "'Queue' not specified.")
        if not interface:
            return error(action, "'Interface' not specified.")
        queue = self.switch.app_queue.queues.get(name.lower())
        if queue is None:
            return error(action, "Unable to add interface to queue: No such queue")
        penalty = action.get("penalty")
        paused = action.get("paused").lower() in ("true", "yes", "1", "on", "y", "t")
        added = self.switch.app_queue.add_member(
            queue,
            interface,
            action.get("membername"),
            telephone=action.get("stateinterface"),
            paused=paused,
            penalty=int(penalty) if penalty.isdigit() else 0,
        )
        if not added:
            return error(action, "Unable to add interface: Already there")
        return success(action, "Added interface to queue")

    def _queue_remove(self, action: Action, session: Session) -> str:
        name, interface = action.get("queue"), action.get("interface")
        if not name or not interface:
            return error(action, "Need 'Queue' and 'Interface' parameters.")
        queue = self.switch.app_queue.queues.get(name.lower())
        if queue is None:
            return error(action, "Unable to remove interface from queue: No such queue")
        member = queue.member(interface)
        if member is None:
            return error(action, "Unable to remove interface: Not there")
        if member.membership != "dynamic":
            return error(action, "Member not dynamic")
        self.switch.app_queue.remove_member(member)
        return success(action, "Removed interface from queue")

    def _queue_pause(self, action: Action, session: Session) -> str:
        interface, wish = action.get("interface"), action.get("paused")
        if not interface or not wish:
            return error(action, "Need 'Interface' and 'Paused' parameters.")
        paused = wish.lower() in ("true", "yes", "1", "on", "y", "t")
        members = (queue.member(interface) for queue in self.switch.app_queue.queues.values())
        device = next((member.device for member in members if member is not None), None)
        if device is None or not self.switch.app_queue.pause(device, paused, action.get("reason"), action.get("queue")):
            return error(action, "Interface not found")
        return success(action, f"Interface {'' if paused else 'un'}paused successfully")


_PLAYED = ("", "UserEvent", "DialerPlayed,Attempt: ${DIALER_ATTEMPT}")
_VERDICT = "DialerAmd,Attempt: ${DIALER_ATTEMPT},Status: ${AMDSTATUS},Cause: ${AMDCAUSE}"
_NOTE = ("", "NoOp", "project ${DIALER_PROJECT} case ${DIALER_CASE} attempt ${DIALER_ATTEMPT}")


_KEY_STEPS = {
    "i": [("", "Goto", "s,again")],
    "t": [("", "Hangup", "")],
    "_[0-9*#]": [
        ("", "GotoIf", '$["${EXTEN}" = "${DIALER_KEY_OPT_OUT}"]?opt-out'),
        ("", "UserEvent", "DialerKey,Attempt: ${DIALER_ATTEMPT},Key: ${EXTEN}"),
        ("", "GotoIf", '$["${EXTEN}" != "${DIALER_KEY_AGENT}"]?s,again'),
        ("", "Queue", "${DIALER_QUEUE},r,,,60"),
        ("", "Hangup", ""),
        ("opt-out", "Set", "DB(dialer-optout/${UNIQUEID})=${EXTEN}"),
        ("", "UserEvent", "DialerOptOut,Attempt: ${DIALER_ATTEMPT},Key: ${EXTEN}"),
        ("", "Hangup", ""),
    ],
}


def _steps(does: str, pattern: str) -> list[tuple[str, str, str]]:
    """Label, application and data of each priority, as ShowDialPlan lists the shipped extensions.conf."""
    if pattern == "h":
        return [("", "GotoIf", '$["${AMDSTATUS}" != "HANGUP"]?over'), ("", "UserEvent", _VERDICT), ("over", "NoOp", "")]
    if does == "keys" and pattern != "s":
        return _KEY_STEPS[pattern]
    if pattern != "s":
        return [("", "Goto", "s,1")]
    return {
        "queue": [_NOTE, ("", "Queue", "${DIALER_QUEUE},r,,,60"), ("", "Hangup", "")],
        "message": [
            _NOTE,
            ("", "Set", 'DIALER_PLAYS=${IF($["${DIALER_MESSAGE}" = ""]?hello-world:${DIALER_MESSAGE})}'),
            (
                "",
                "GotoIf",
                '$["${DIALER_KEY_REPEAT}${DIALER_KEY_AGENT}${DIALER_KEY_OPT_OUT}" != ""]?message-keys,s,1',
            ),
            ("", "Playback", "${DIALER_PLAYS}"),
            ("", "GotoIf", '$["${PLAYBACKSTATUS}" != "SUCCESS"]?over'),
            _PLAYED,
            ("over", "Hangup", ""),
        ],
        "safe-harbour": [
            ("", "NoOp", f"nobody came: {_NOTE[2]}"),
            ("", "Set", "DIALER_PLAYS=vm-nobodyavail"),
            ("", "GotoIf", '$["${DIALER_KEY_OPT_OUT}" != ""]?keys'),
            ("", "Playback", "${DIALER_PLAYS}"),
            ("", "GotoIf", '$["${PLAYBACKSTATUS}" != "SUCCESS"]?over'),
            _PLAYED,
            ("over", "Hangup", ""),
            ("keys", "Set", "DIALER_KEY_AGENT="),
            ("", "Set", "DIALER_KEY_REPEAT="),
            ("", "Goto", "message-keys,s,1"),
        ],
        "keys": [
            ("", "Set", "DIALER_ROUND=0"),
            ("again", "Set", "DIALER_ROUND=$[${DIALER_ROUND} + 1]"),
            ("", "GotoIf", "$[${DIALER_ROUND} > 5]?over"),
            ("", "Background", "${DIALER_PLAYS}"),
            ("", "GotoIf", '$["${BACKGROUNDSTATUS}" != "SUCCESS"]?over'),
            _PLAYED,
            ("", "WaitExten", "4"),
            ("over", "Hangup", ""),
        ],
        "predictive": [
            _NOTE,
            ("", "GotoIf", '$["${DIALER_AMD}" = ""]?queue'),
            ("", "AMD", ""),
            ("", "UserEvent", _VERDICT),
            ("", "GotoIf", '$["${AMDSTATUS}" = "MACHINE"]?machine,s,1'),
            ("queue", "Queue", '${DIALER_QUEUE},r,,,${IF($["${DIALER_PATIENCE}" = ""]?60:${DIALER_PATIENCE})}'),
            ("", "Goto", "safe-harbour,s,1"),
        ],
        "machine": [
            ("", "GotoIf", '$["${DIALER_MACHINE}" != "message"]?over'),
            ("", "WaitForSilence", "2000,1,30"),
            ("", "Playback", "hello-world"),
            ("", "GotoIf", '$["${PLAYBACKSTATUS}" != "SUCCESS"]?over'),
            _PLAYED,
            ("over", "Hangup", ""),
        ],
        "hangup": [("", "Hangup", "")],
        "hold": [("", "Wait", "86400")],
    }[does]


def _mask(text: str) -> frozenset[str]:
    """An event mask: on, off or class names; unknown names mean nothing."""
    low = text.lower()
    if low in ("on", "yes", "true", "all", "-1"):
        return _READ_ALL
    return frozenset(part.strip() for part in low.split(",")) & _READ_ALL


def _caller(text: str) -> tuple[str, str]:
    """(number, name) of `"Name" <number>`; the number is stripped of what ast_shrink_phone_number strips."""
    match = re.fullmatch(r'\s*"?(.*?)"?\s*<([^>]*)>\s*', text)
    person, number = (match[1], match[2]) if match else ("", text)
    if not match and text and not re.fullmatch(r"[0-9+*# ()\-.]+", text):
        person, number = text, ""
    return re.sub(r"[ ()\-]", "", number) or UNKNOWN, person or UNKNOWN


def _variables(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Each variable with its name as the called channel sees it (`__X` and `_X` are X)."""
    for header in headers:
        for assignment in _split(header):
            name, sign, value = assignment.partition("=")
            if sign:
                yield name.strip().lstrip("_"), value.strip()


def _split(header: str) -> list[str]:
    """At commas, but for those escaped,
    quoted or in parentheses or brackets (Asterisk's standard arguments).
    """
    if not _SPECIAL & set(header):
        return [header]
    parts, part, depth, quoted, position = [], "", 0, False, 0
    while position < len(header):
        letter = header[position]
        if letter == "\\" and position + 1 < len(header):
            position += 1
            part += header[position]
        elif letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted and not depth:
            parts.append(part)
            part = ""
        else:
            depth = max(0, depth + (letter in "([") - (letter in ")]"))
            part += letter
        position += 1
    return [*parts, part]


_REPORTING = frozenset({"system", "reporting"})
_AGENT = frozenset({"agent"})

#: name -> handler, write classes of which the user needs one (none: everybody may).
_HANDLERS: dict[str, tuple[Handler, frozenset[str]]] = {
    "challenge": (Actions._challenge, frozenset()),
    "login": (Actions._login, frozenset()),
    "logoff": (Actions._logoff, frozenset()),
    "ping": (Actions._ping, frozenset()),
    "events": (Actions._events, frozenset()),
    "originate": (Actions._originate, frozenset({"originate"})),
    "hangup": (Actions._hangup, frozenset({"system", "call"})),
    "dbget": (Actions._db_get, _REPORTING),
    "dbdel": (Actions._db_del, frozenset({"system"})),
    "setvar": (Actions._setvar, frozenset({"call"})),
    "coreshowchannels": (Actions._core_show_channels, _REPORTING),
    "coresettings": (Actions._core_settings, _REPORTING),
    "corestatus": (Actions._core_status, _REPORTING),
    "showdialplan": (Actions._show_dialplan, frozenset({"config", "reporting"})),
    "queuestatus": (Actions._queue_status, frozenset()),
    "queuesummary": (Actions._queue_summary, frozenset()),
    "queueadd": (Actions._queue_add, _AGENT),
    "queueremove": (Actions._queue_remove, _AGENT),
    "queuepause": (Actions._queue_pause, _AGENT),
}
