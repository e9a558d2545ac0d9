"""Judging request after request: what was judged before, and stands in front of what is new, is not judged again.

A request mostly begins with the messages of the one before it. Those up to a place where the assistant takes its turn,
and nothing of the server's is open, touch what comes behind in a few ways only (`Before`): the rules look at those, and
at the messages behind. What stands beside the messages (tools, system, options) is judged when it changes. Where
anything is found, the whole is judged, so that this changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import cycle, islice, takewhile
from typing import Any

from sash.model.blocks import text_block
from sash.model.cards import ModelCard
from sash.model.values import same_json
from sash.planning.rules import VERSION, Problem, check_request, judged
from sash.planning.rules.body import (
    ESCAPED,
    MESSAGE_FRAME,
    NOTHING_BEFORE,
    TEXT_FRAME,
    Before,
    Beside,
    Body,
    Message,
    read,
    unfolded,
)
from sash.planning.rules.media import pdf_pages_of, widest_side
from sash.planning.rules.tools import SERVER_CALLS, call_id
from sash.planning.rules.turns import is_server_result

MOVING_MARKERS = 2
"""Markers that stand elsewhere in the next request: those on the newest tail and on the one before."""


class Judge:
    """`check_request` for the requests of one conversation, in time that grows with what is new in each."""

    def __init__(self) -> None:
        self._terms: tuple[Any, ...] = ()
        self._front: Sequence[Any] = []
        self._before = NOTHING_BEFORE
        self._rest: Mapping[str, Any] = {}
        self._beside: Beside | None = None

    def problems(
        self, body: Mapping[str, Any], *, betas: Collection[str], card: ModelCard, version: str = VERSION
    ) -> list[Problem]:
        """What the API would refuse in a request body of plain values. Nobody may change it later."""
        messages, terms = body["messages"], (frozenset(betas), card, version)
        rest = {name: value for name, value in body.items() if name != "messages"}
        if terms != self._terms or not self._is_in_front_of(messages):
            self._before = plain_talk(messages)
            self._terms, self._front, self._beside = terms, messages[: self._before.messages], None
        beside = self._beside if same_json(rest, self._rest) else None
        new = {**rest, "messages": messages[len(self._front) :]}
        there = read(new, card=card, betas=betas, version=version, before=self._before, beside=beside, bounds=True)
        if there.continues_thread or any(judged(there, beside=beside is None)):
            return check_request(body, betas=betas, card=card, version=version)
        if beside is None:
            self._rest, self._beside = rest, Beside(there.tools, there.system, there.rest_bytes)
        self._keep(messages, there)
        return []

    def _is_in_front_of(self, messages: Sequence[Any]) -> bool:
        """Whether a request begins with what was judged, and goes on: some rules look at how it ends."""
        number = len(self._front)
        return len(messages) > number and same_json(messages[:number], self._front)

    def _keep(self, messages: Sequence[Any], there: Body) -> None:
        """Remember the messages that will stand in front of the next request's new ones."""
        settled = _settled(there)
        if settled:
            self._front = messages[: len(self._front) + settled]
            self._before = _with(self._before, there, settled)


def plain_talk(messages: Sequence[Any]) -> Before:
    """What a conversation begins with, where that is talk: one text by the user, one by the assistant, and so on.

    No rule has anything against it but for its length, so it is read at a glance; its last text goes with what follows.
    """
    texts = [*takewhile(bool, map(_text, messages, cycle(("user", "assistant"))))]
    talk = texts[:-1]
    frames = len("assistant") + MESSAGE_FRAME + TEXT_FRAME
    return Before(messages=len(talk), bytes=frames * len(talk) + len(ESCAPED) * sum(map(len, talk)))


def _text(message: Any, role: str) -> str:
    """What a message says that is one text of `role` and nothing else; "" for any other."""
    try:
        text = message["content"][0]["text"]
    except (LookupError, TypeError):
        return ""
    told = isinstance(text, str) and not text.isspace() and message == {"role": role, "content": [text_block(text)]}
    return text if told else ""


def _settled(body: Body) -> int:
    """How many messages stand before a reply that nothing in front of it waits for, nor a marker will leave."""
    messages = body.messages
    newest = (at for at in reversed(range(len(messages))) if _is_marked(messages[at]))
    last = min(islice(newest, MOVING_MARKERS), default=len(messages) - 1)
    replies = (at for at in range(last, 0, -1) if (messages[at - 1].role, messages[at].role) == ("user", "assistant"))
    waits = [] if body.kinds.isdisjoint(SERVER_CALLS) else list(_waits(messages))
    return next((at for at in replies if not (waits and waits[at])), 0)


def _waits(messages: Iterable[Message]) -> Iterator[bool]:
    """Whether a call of a server's tool in front of each message has no result yet."""
    waiting: set[str] = set()
    for message in messages:
        yield bool(waiting)
        for spot in message.spots:
            if spot.kind in SERVER_CALLS:
                waiting.add(call_id(spot))
            elif is_server_result(spot.kind):
                waiting.discard(call_id(spot))


def _is_marked(message: Message) -> bool:
    return any("cache_control" in spot.block for spot in message.spots)


def _with(before: Before, body: Body, number: int) -> Before:
    """What stands in front once so many messages of a body do, too."""
    settled = body.messages[:number]
    spots = [spot for message in settled for spot in message.spots if spot.kind != "text"]
    blocks = [spot for spot in unfolded(settled) if spot.kind != "text" or "cache_control" in spot.block]
    servers = {call_id(spot) for spot in spots if spot.kind in SERVER_CALLS}
    return Before(
        messages=before.messages + len(settled),
        bytes=before.bytes + sum(body.most_bytes[:number]),
        calls=before.calls | servers | {call_id(spot) for spot in spots if spot.kind == "tool_use"},
        server_calls=before.server_calls | servers,
        marked=(*before.marked, *(spot for spot in blocks if spot.block.get("cache_control") is not None)),
        images=before.images + sum(spot.kind == "image" for spot in blocks),
        widest=max(before.widest, widest_side(blocks)),
        pages=before.pages + pdf_pages_of(blocks),
        adds_tools=before.adds_tools or any(spot.kind == "tool_addition" for spot in blocks),
    )
