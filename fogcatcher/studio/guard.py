"""What every request passes before anything else looks at it: who may ask, how often and how much."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; frame-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
DOCUMENT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""Of the reports that the program writes, each one file: nothing in them reaches the studio."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
MARK = "x-fogcatcher"
"""A header that no page of another origin can send without being asked for leave first."""
COOKIE = "fogcatcher"
LARGEST_BODY = 8_000_000
LARGEST_UPLOAD = 512_000_000
WRITES_A_SECOND = 20.0
WRITES_AT_ONCE = 200.0
PATIENCE = 1.0
"""Seconds for which the body of what is refused is read on."""
LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass
class Pace:
    """So many requests a second on average, and so many at once."""

    a_second: float
    at_once: float
    _left: float = field(default=-1.0)
    _at: float = 0.0

    def allows(self) -> bool:
        now = time.monotonic()
        full = self.at_once if self._left < 0 else self._left + (now - self._at) * self.a_second
        self._left, self._at = min(full, self.at_once), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class TooLarge(Exception):
    """A body went on for longer than is taken."""


class Guard:
    """Refuses what is not from the studio's own page, and what is too much; adds the headers of safety.

    Host and Origin are looked at because any page of the web may send requests to an address of this machine,
    and may give its own name that address (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, token: str | None = None, a_second: float = WRITES_A_SECOND) -> None:
        """``token`` is what a person must know where the studio listens to other machines."""
        self.app, self.token = app, token
        self.pace = Pace(a_second, WRITES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        found = self._refused(scope, headers)
        if found is not None:
            await _drain(receive)
            await _answer(send, *found)
            return
        if self.token is not None and not self._is_known(headers):
            await self._let_in(scope, send)
            return
        uploads = scope["path"] in ("/api/data", "/api/recipe")
        limited = _Limited(receive, LARGEST_UPLOAD if uploads else LARGEST_BODY)
        began = False

        async def sent(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                message = {**message, "headers": _with_headers(scope, message["headers"])}
            await send(message)

        try:
            await self.app(scope, limited, sent)
        except TooLarge:
            if began:
                raise
            await _answer(send, 413, limited.said)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return status and sentence for what must not pass."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return 421, "this address is not the studio's: open the link that it printed."
        reads = scope["method"] in ("GET", "HEAD")
        site = headers.get("sec-fetch-site", "same-origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "another page may not ask the studio for anything."
        if site not in ("same-origin", "none") and (not reads or scope["path"] != "/"):
            return 403, "another page may not ask the studio for anything."
        if reads:
            return None
        if scope["method"] not in ("POST", "DELETE"):
            return 405, "there is nothing to do in this way."
        if MARK not in headers:
            return 403, "only the studio's own page may change anything (the header X-Fogcatcher is missing)."
        length = headers.get("content-length", "0")
        most = LARGEST_UPLOAD if scope["path"] in ("/api/data", "/api/recipe") else LARGEST_BODY
        if not length.isdecimal() or int(length[:20]) > most:
            return 413, f"that is too much at once: send at most {most / 1e6:,.0f} MB."
        if not self.pace.allows():
            return 429, "too much was asked in a short time: wait a moment."
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header can only have come from our own link."""
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name.lower() in LOCAL:
            return True
        if self.token is None:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in (socket.gethostname().lower(), socket.getfqdn().lower())
        return True

    def _is_known(self, headers: dict[str, str]) -> bool:
        pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        given = next((value for name, _, value in pairs if name == COOKIE), "")
        return hmac.compare_digest(given.encode(), (self.token or "").encode())

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Of the link with the token make a cookie, and take the token out of the address."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = query.pop("token", [""])[0]
        if scope["method"] != "GET" or not hmac.compare_digest(given.encode(), (self.token or "").encode()):
            await _answer(send, 401, "open the whole link that the studio printed, with its token.")
            return
        rest = urlencode(query, doseq=True)
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        path = "/" + scope["path"].lstrip("/\\")
        where = path + (f"?{rest}" if rest else "")
        headers = [(b"location", where.encode("latin-1", "replace")), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class _Limited:
    """A body of so many bytes at most, whatever its header said."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most
        self.said = f"that is too much at once: send at most {most / 1e6:,.0f} MB."

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge
        return message


def _with_headers(scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    added = dict(HEADERS)
    added["content-security-policy"] = PAGE_POLICY
    if scope["path"].startswith("/api"):
        added["cache-control"] = "no-store"
    more = [(n.encode(), v.encode()) for n, v in added.items() if n.encode() not in there]
    return [*((name, value) for name, value in headers if name.lower() != b"server"), *more]


async def _drain(receive: Receive) -> None:
    """Pass over a body for a moment: who is still sending does not hear an answer."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            message = await asyncio.wait_for(receive(), PATIENCE)
        except TimeoutError:
            return
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _answer(send: Send, status: int, said: str) -> None:
    body = json.dumps({"error": said, "about": None}).encode()
    headers = [(n.encode(), v.encode()) for n, v in HEADERS.items()]
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", PAGE_POLICY.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
