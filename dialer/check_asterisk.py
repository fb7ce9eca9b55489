"""Asterisk's part of `dialer check`: login, rights, clock, queues, contexts, extensions. Nothing is dialled.

Rights are tried with harmless actions: hanging up a channel that does not exist, originating over a channel technology
that does not exist. Such an Originate is refused first of all if the user may not originate ("Permission denied") or
the extension does not exist; otherwise it fails without a channel.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator

import gevent

from dialer.finding import Finding, clock, fault, fine, look
from worker.ami.client import AmiClient
from worker.ami.errors import AmiRefused
from worker.config import AsteriskSettings
from worker.errors import DialerError
from worker.figures import ProjectNeeds
from worker.model import DEFAULT_EXTEN

_NOWHERE = "DialerCheck/nowhere"
_SLACK_SECONDS = 3.0  # Asterisk answers a refused login a second late
_DENIED = "Permission denied"
_CONTEXT = re.compile(r"(?:^|[?:])([A-Za-z0-9_.-]+),[^,:?]+,[^,:?]+")
"""In the data of Goto, GotoIf, Gosub …: a context before extension and priority."""
_CONTEXTS_MOST = 50


def check(settings: AsteriskSettings, projects: Iterable[ProjectNeeds]) -> Iterator[Finding]:
    """All findings about one Asterisk and about what the projects need from it."""
    subject = f"Asterisk {settings.name}"
    context = ssl.create_default_context(cafile=settings.tls_ca) if settings.tls else None
    client = AmiClient(
        settings.host,
        settings.port,
        settings.username,
        settings.password.reveal(),
        timeout=settings.timeout_seconds,
        wanted=frozenset(),
        tls=context,
        instance="check",
    )
    client.start()
    try:
        if not _connected(client, settings.timeout_seconds + _SLACK_SECONDS):
            why = client.login_error or client.down_reason or "no answer in time"
            yield fault(subject, f"there is no session: {why}", "Correct [ami] or manager.conf as it says.")
            return
        yield fine(subject, f"{settings.username} is logged in at {settings.host}:{settings.port}")
        yield from _session(client, subject, list(projects))
    except DialerError as error:
        yield fault(subject, f"the session broke: {error}", "Look at Asterisk's log and try again.")
    finally:
        client.stop()


def _connected(client: AmiClient, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not client.connected and client.login_error is None and time.monotonic() < until:
        gevent.sleep(0.02)
    return client.connected


def _session(client: AmiClient, subject: str, projects: list[ProjectNeeds]) -> Iterator[Finding]:
    yield _clock(client, subject)
    rights = [
        _right(client, subject, "reporting", [("Action", "CoreShowChannels")], listed=True),
        _right(client, subject, "call", [("Action", "Hangup"), ("Channel", _NOWHERE)]),
        _right(client, subject, "originate", _originate("dialer-check", "dialer-check")),
    ]
    yield from rights
    queues = _queues(client)
    for project in projects:
        if project.serves_agents:
            yield _queue(client, project, queues)
        yield _extension(client, project)
        if project.key_repeat or project.key_agent or project.key_opt_out:
            yield from _keys(client, project)


def _clock(client: AmiClient, subject: str) -> Finding:
    began = time.time()
    stamp = client.ask([("Action", "Ping")]).get("Timestamp")
    ended = time.time()
    try:
        return clock(subject, float(stamp) - (began + ended) / 2, (ended - began) / 2)
    except ValueError:
        return look(subject, f"its clock cannot be read from {stamp[:40]!r}", "Compare `date` on both machines.")


def _right(
    client: AmiClient, subject: str, right: str, fields: list[tuple[str, str]], *, listed: bool = False
) -> Finding:
    try:
        if listed:
            client.ask_list(fields)
        else:
            client.ask(fields)
    except AmiRefused as refusal:
        if refusal.text == _DENIED:
            remedy = "In manager.conf give the user: write = originate,call,reporting; then `manager reload`."
            return fault(subject, f"the user may not use {fields[0][1]} (right {right!r})", remedy)
    return fine(subject, f"the right {right!r} is there")


def _queues(client: AmiClient, named: str | None = None) -> dict[str, int]:
    """By each queue's name in lower case, its members. `named`: only that queue, since a realtime queue is not in the
    list until somebody has asked for it by name."""
    members: dict[str, int] = {}
    for item in client.ask_list([("Action", "QueueStatus"), *([("Queue", named)] if named else [])]):
        name = item.get("Queue").lower()
        members[name] = members.get(name, 0) + (item.get("Event") == "QueueMember")
    return members


def _queue(client: AmiClient, project: ProjectNeeds, queues: dict[str, int]) -> Finding:
    subject = f"project {project.project_id}"
    wanted = project.queue.lower()
    members = queues[wanted] if wanted in queues else _queues(client, project.queue).get(wanted)
    if members is None:
        remedy = (
            f"Add [{project.queue}] to queues.conf and reload, or correct dialer_params.queue; write a realtime queue's"
            " name exactly as it stands in its table."
        )
        return _graded(project, f"Asterisk {project.asterisk} has no queue {project.queue!r}", remedy)
    if not members:
        return look(
            subject,
            f"queue {project.queue!r} has no member, so nothing will be dialled",
            "Let agents log in to it (AddQueueMember or `member =>` in queues.conf).",
        )
    return fine(subject, f"queue {project.queue!r} has {members} member{'s' if members > 1 else ''}")


def _extension(client: AmiClient, project: ProjectNeeds) -> Finding:
    extension = project.exten or DEFAULT_EXTEN
    try:
        client.ask(_originate(project.context, extension))
    except AmiRefused as refusal:
        if refusal.text == _DENIED:
            text = f"cannot tell whether {extension}@{project.context} exists"
            return look(f"project {project.project_id}", text, "Give the user the right originate first.")
        there = _has_context(client, project.context)
        missing = "no extension" if there else "no context for"
        text = f"Asterisk {project.asterisk} has {missing} {extension}@{project.context}"
        remedy = "Add it to extensions.conf and `dialplan reload`, or correct exten and context in dialer_params."
        return _graded(project, text, remedy)
    return fine(f"project {project.project_id}", f"answered calls go to {extension}@{project.context}")


def _keys(client: AmiClient, project: ProjectNeeds) -> Iterator[Finding]:
    """Does the dialplan, from the project's context on, do what keys are for? Whether manager.conf lets the events
    through cannot be asked."""
    subject = f"project {project.project_id}"
    try:
        steps = _reachable(client, project.context)
    except DialerError:
        return  # the findings above say why
    copied = (
        "Copy the context message-keys and the lines that lead to it from the dialer's extensions.conf, and its"
        " eventfilter from manager.conf; then `dialplan reload` and `manager reload`."
    )
    wanted = {"DialerKey": project.key_repeat or project.key_agent, "DialerOptOut": project.key_opt_out}
    for event, key in wanted.items():
        if key and event not in steps:
            text = f"context {project.context} sends no UserEvent {event}: the key {key} does nothing"
            yield _graded(project, text, copied)
    if project.key_opt_out and "DialerOptOut" in steps:
        if "DB(dialer-optout/" not in steps:
            text = "its context does not keep opt-outs: one that comes while the link to Asterisk is down is lost"
            yield look(subject, text, copied)
        elif not _can_forget(client):
            text = f"Asterisk {project.asterisk} has no function DB_DELETE, so its dialplan cannot keep an opt-out"
            yield _graded(project, text, "Load func_db.so (modules.conf).")
        else:
            yield fine(subject, f"the key {project.key_opt_out} opts out of further calls")


def _reachable(client: AmiClient, context: str) -> str:
    """What the dialplan does in a context and in those that it goes on to, as one text."""
    texts: list[str] = []
    found = [context]
    for name in found:
        try:
            steps = client.ask_list([("Action", "ShowDialPlan"), ("Context", name)])
        except AmiRefused as refusal:
            if refusal.text == _DENIED:
                raise
            continue  # it only looked like the name of a context
        for step in steps:
            texts.append(f"{step.get('Application')}({step.get('AppData')})")
            gone_to = [*_CONTEXT.findall(step.get("AppData")), step.get("IncludeContext")]
            found += [one for one in dict.fromkeys(gone_to) if one and one not in found and len(found) < _CONTEXTS_MOST]
    return "\n".join(texts)


def _can_forget(client: AmiClient) -> bool:
    """Is there the function with which an opt-out is deleted, and so that which writes it?"""
    try:
        client.ask([("Action", "Setvar"), ("Variable", "DB_DELETE(dialer-optout/check)"), ("Value", "1")])
    except AmiRefused as refusal:
        return refusal.text == _DENIED  # then nobody knows
    return True


def _has_context(client: AmiClient, context: str) -> bool:
    try:
        client.ask_list([("Action", "ShowDialPlan"), ("Context", context)])
    except DialerError:
        return False
    return True


def _originate(context: str, extension: str) -> list[tuple[str, str]]:
    """An Originate that can reach nobody, as its channel technology does not exist."""
    return [
        ("Action", "Originate"),
        ("Channel", _NOWHERE),
        ("Context", context),
        ("Exten", extension),
        ("Priority", "1"),
        ("Timeout", "1000"),
        ("Async", "true"),
    ]


def _graded(project: ProjectNeeds, text: str, remedy: str) -> Finding:
    """What a project lacks that nobody has started is only worth a look."""
    return (fault if project.wanted else look)(f"project {project.project_id}", text, remedy)
