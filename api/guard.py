"""Who may ask, and who may start and stop: one function that sees every request before any handler does.

The control has no login. But it can tell whether a request was meant for this dialer. The request must name an address
of this machine or a host name that we know (otherwise a page of another site has pointed its own name at us). And if it
starts or stops something, it must come from a person or a program, not from a page of another site that somebody has
open.

Programs such as curl send no Origin, Referer or Sec-Fetch headers and are let through. Browsers send Sec-Fetch headers
only over TLS and to this machine itself; elsewhere all we have is the Referer, and a page that withholds it cannot be
told from a person.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

import bottle

from api.answers import Json
from api.refusals import Refused


def guard(names: Collection[str]) -> Callable[[], None]:
    """A hook for every request, which raises the refusal. `names`: our host names besides the machine's own."""
    own = socket.gethostname().lower()
    known = {"localhost", own, own.partition(".")[0], *(name.lower() for name in names)}

    def look() -> None:
        found = _misdirected(known) or _unreadable()
        if found is None and acts():
            found = _not_meant()
        if found is not None:
            raise Json().refusal(found)  # the route and its kind of answer are not known yet

    return look


def acts() -> bool:
    """Does this request change something, rather than only read?"""
    return bottle.request.path == "/" and bool(bottle.request.query_string)


def _misdirected(known: Collection[str]) -> Refused | None:
    """A browser sends the host name that it was given; a name that is not ours was pointed at us by somebody else."""
    host = bottle.request.get_header("Host")
    name = _host_name(host) if host else ""  # programs that speak HTTP/1.0 send none, browsers always do
    if not name or name in known or _is_address(name):
        return None
    remedy = "Ask by its IP address, or add the name to Names in [http]."
    return Refused(421, f"This dialer is not called {name[:100]!r}.", remedy)


def _unreadable() -> Refused | None:
    try:
        path = bottle.request.environ["bottle.raw_path"].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return Refused(400, "The path is not UTF-8.", "Encode the address as UTF-8.")
    if has_control(path):
        return Refused(400, "The path holds a control character.", "Remove it.")
    return None


def has_control(text: str) -> bool:
    """No name in the database contains a control character, and PostgreSQL cannot even be asked for a NUL."""
    return any(unicodedata.category(character) == "Cc" for character in text)


def _not_meant() -> Refused | None:
    """Why nobody can have meant this request to start or stop a project; None: somebody did."""
    if bottle.request.method != "GET":
        return Refused(405, "A HEAD request starts and stops nothing.", "Use GET.", {"Allow": "GET"})
    header = bottle.request.get_header
    purpose = f"{header('Sec-Purpose', '')} {header('Purpose', '')} {header('X-Moz', '')}".lower()
    if "prefetch" in purpose or "preview" in purpose:
        return Refused(403, "A browser fetched this address in advance; nothing was done.", "Open it yourself.")
    if _foreign():
        remedy = "Open the address yourself; behind a proxy, let it pass the Host header on."
        return Refused(403, "A page of another site asked for this; nothing was done.", remedy)
    return None


def _foreign() -> bool:
    """Did a page of another site ask, without a person who followed its link?"""
    header = bottle.request.get_header
    origin, site = header("Origin"), header("Sec-Fetch-Site")
    if origin is not None and not _ours(origin):
        return True
    if site is None:
        referer = header("Referer")
        return referer is not None and not _ours(referer)
    if site in ("same-origin", "none"):
        return False
    followed = (header("Sec-Fetch-Mode"), header("Sec-Fetch-Dest"), header("Sec-Fetch-User"))
    return followed != ("navigate", "document", "?1")


def _ours(address: str) -> bool:
    """Is this address on the host that was asked? The scheme does not count: a proxy may speak TLS for us."""
    try:
        theirs = urlsplit(address)
        asked = urlsplit(f"{theirs.scheme}://{bottle.request.get_header('Host', '')}")
        usual = {"http": 80, "https": 443}.get(theirs.scheme)
        return (theirs.hostname, theirs.port or usual) == (asked.hostname, asked.port or usual) != (None, usual)
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """The name in a Host header, without the port; "?" if there is none in it."""
    try:
        return (urlsplit(f"//{host}").hostname or "?").removesuffix(".")
    except ValueError:
        return "?"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
