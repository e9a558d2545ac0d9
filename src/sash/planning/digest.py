"""The hash of a request body, by which one that was rebuilt is known to be the same byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sash.model.blocks import dumps
from sash.model.values import same_json
from sash.planning.growing import Grown

Message = Mapping[str, Any]
Hashed = tuple[Any, str]
"""The hash up to some message, and what stands in front of the next one."""
MARKED = 4
"""The newest messages, from the one on that the last request marked: it goes without the marker in the next one."""


def body_hash(body: Mapping[str, Any]) -> str:
    """32 hex digits of the JSON text of a request body."""
    return hashlib.sha256(dumps(body).encode()).hexdigest()[:32]


class Digest:
    """`body_hash` of the requests of one conversation, in time that grows with what is new in each.

    Nobody may change a body later.
    """

    def __init__(self) -> None:
        self._begun: tuple[dict[str, Any], Grown[Message, Hashed]] | None = None
        """the fields in front of the messages, and what hashes messages behind them"""

    def of(self, body: Mapping[str, Any]) -> str:
        """The hash of a body that has messages."""
        names = list(body)
        at = names.index("messages")
        head, tail = {name: body[name] for name in names[:at]}, _fields(body, names[at + 1 :])
        if self._begun is None or not same_json(head, self._begun[0]):
            self._begun = head, _behind(_fields(body, names[:at]))
        found = self._begun[1].of(tuple(body["messages"]))[0].copy()
        found.update(f"]{',' * bool(tail)}{tail}}}".encode())
        return str(found.hexdigest()[:32])


def _fields(body: Mapping[str, Any], names: Sequence[str]) -> str:
    return dumps({name: body[name] for name in names})[1:-1]


def _behind(head: str) -> Grown[Message, Hashed]:
    """What hashes messages behind the first fields of a body."""
    begun = f'{{{head}{"," * bool(head)}"messages":['
    return Grown((hashlib.sha256(begun.encode()), ""), _with, same=same_json, moving=MARKED)


def _with(before: Hashed, messages: Sequence[Message]) -> Hashed:
    if not messages:
        return before
    found, comma = before[0].copy(), before[1]
    found.update((comma + dumps(messages)[1:-1]).encode())
    return found, ","
