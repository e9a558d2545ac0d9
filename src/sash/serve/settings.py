"""What a server is told before it starts: frozen values, checked when they are made. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from sash.errors import InvalidOption
from sash.types import MemoryMode

LEAST_TOKEN = 16
"""Characters of a token at least: whoever can reach the port can try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """Who knows it may use one namespace, and no other."""

    token: str = field(repr=False)
    namespace: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidOption for one that is soon guessed, or that no header can hold."""
        if len(self.token) < LEAST_TOKEN or not self.token.isascii() or not self.token.isprintable():
            raise InvalidOption(
                f"a token needs at least {LEAST_TOKEN} printable ASCII characters; one is made by: "
                'python -c "import secrets; print(secrets.token_urlsafe())"',
                option="token",
                value=None,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How to serve a record. Sizes are bytes, times seconds."""

    host: str = "127.0.0.1"
    port: int = 8642
    namespace: str = ""
    """the tenant that is served where there are no tokens"""
    tokens: tuple[AccessToken, ...] = ()
    """without any, whoever reaches the port may do everything: only this machine may"""
    model: str | None = None
    """for new conversations; None: sash's usual one"""
    memory: MemoryMode = "balanced"
    budget: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """further settings of every conversation, as `Conversation` takes them: limits, ceilings, fallback, ..."""
    largest_body: int = 48 * 1024 * 1024
    """a 32 MB request as JSON, with room"""
    body_seconds: float = 30.0
    """how long a body may take to arrive"""
    stall_seconds: float = 30.0
    """how long a client may take no byte of its answer"""
    quiet_seconds: float = 15.0
    """how long a stream is silent before a comment is sent in it"""
    grace: float = 10.0
    """how long replies in hand may go on when the server is told to stop"""

    def __post_init__(self) -> None:
        """Raise InvalidOption for an address beyond this machine without a token."""
        if not self.tokens and not is_loopback(self.host):
            raise InvalidOption(
                f"host={self.host!r}: beyond this machine everybody could read all that was said; "
                "set a token (--token, or SASH_SERVE_TOKEN), or serve on 127.0.0.1",
                option="host",
                value=self.host,
            )


def is_loopback(host: str) -> bool:
    """Whether a host name or address stands for this machine alone."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
