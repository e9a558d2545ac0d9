"""A request body, read once so that every rule can be a few lines: each block with its path and role.

Reading never fails: what has no legal shape is noted in `Body.malformed` and left out of the rest, so that
the rules only meet well-formed blocks. Consecutive messages of one role are one `MergedTurn`, as the API merges
them. This module knows no rule, only what a rule is (`Rule`), and when it has nothing to look at (`about`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sash.model.blocks import encoder
from sash.model.cards import ModelCard

Finding = tuple[str, str]
"""A path into the body, and what is wrong there."""

LISTS = (list, tuple)
"""What JSON lists are given as."""

NESTING = ("tool_result", "search_result", "document")
"""Kinds of block that hold blocks of their own (server tool results hold what only the server makes)."""

DEPTH = 4
"""How deep they are looked into; legal ones nest three deep (a result, a document in it, an image in that)."""


_MESSAGE, _TEXT = {"role": "", "content": []}, {"type": "text", "text": ""}
MESSAGE_FRAME, TEXT_FRAME = len('{"role":"","content":[]},'), len('{"type":"text","text":""},')
"""Bytes of JSON that stand around the role and the blocks of a message, and around a text."""
ESCAPED = r"\u0000"
"""The longest form in which JSON has a character."""


class Spot(NamedTuple):
    """One block (or tool definition) and where it stands."""

    path: str
    role: str
    kind: str
    """The block's type; a tool definition without one is a custom tool."""
    block: Mapping[str, Any]


def spot_of(path: str, role: str, block: Mapping[str, Any]) -> Spot:
    """A block with its place."""
    return Spot(path, role, str(block.get("type") or "custom"), block)


class Mark(NamedTuple):
    """A marker: where, on what (None: the automatic one), and its value as sent."""

    path: str
    spot: Spot | None
    control: Any

    @property
    def ttl(self) -> Any:
        """Its lifetime; 5 minutes unless it says otherwise."""
        ttl = (as_mapping(self.control) or {}).get("ttl")
        return "5m" if ttl is None else ttl


class Message(NamedTuple):
    """One message as sent; `fields` are all its keys."""

    path: str
    role: str
    spots: tuple[Spot, ...]
    fields: Mapping[str, Any]


class MergedTurn(NamedTuple):
    """Consecutive messages of one role: one turn in the eyes of the API."""

    path: str
    role: str
    spots: tuple[Spot, ...]

    def of(self, *kinds: str) -> list[Spot]:
        """Its blocks of these types, in order."""
        return [spot for spot in self.spots if spot.kind in kinds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Messages in front of a body's that were judged before: what of them matters to those behind."""

    messages: int = 0
    bytes: int = 0
    """of their JSON text at most, a comma behind each"""
    calls: frozenset[str] = frozenset()
    """ids of all calls, the server's tools included"""
    server_calls: frozenset[str] = frozenset()
    marked: tuple[Spot, ...] = ()
    """blocks with a cache marker"""
    images: int = 0
    widest: int = 0
    """pixels of the longest side of any image"""
    pages: int = 0
    """of PDF"""
    adds_tools: bool = False


NOTHING_BEFORE = Before()


class Beside(NamedTuple):
    """What stands beside the messages of a request, as it was read from another one that says the same there."""

    tools: tuple[Spot, ...]
    system: tuple[Spot, ...]
    bytes: int
    """of its JSON text, with an empty list of messages"""


@dataclass(frozen=True, kw_only=True)
class Body:
    """All that the rules look at."""

    params: Mapping[str, Any]
    card: ModelCard
    betas: frozenset[str]
    version: str
    tools: tuple[Spot, ...]
    system: tuple[Spot, ...]
    messages: tuple[Message, ...]
    blocks: tuple[Spot, ...]
    """Every block of the messages, inner blocks before the block that holds them (the render order)."""
    malformed: tuple[Finding, ...]
    before: Before = NOTHING_BEFORE
    beside: Beside | None = None
    """what was known of the rest; None: it was read with the messages"""
    bounds: bool = False
    """whether a bound of its size will do, which takes a fraction of the time"""

    @cached_property
    def runs(self) -> tuple[MergedTurn, ...]:
        """Its turns in the eyes of the API."""
        return tuple(_runs(self.messages))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types of all blocks of the messages."""
        return frozenset([spot.kind for spot in self.blocks])

    @cached_property
    def cited(self) -> tuple[Spot, ...]:
        """The blocks of the messages that carry citations."""
        return tuple(spot for spot in self.blocks if spot.block.get("citations"))

    @cached_property
    def bytes(self) -> int:
        """Of its JSON text, without the messages before it; where bounds will do, at most so many.

        Raises TypeError, ValueError or RecursionError where there is no such text.
        """
        if not self.bounds:
            return json_bytes(self.params)
        return self.rest_bytes + sum(self.most_bytes)

    @cached_property
    def most_bytes(self) -> tuple[int, ...]:
        """Of the JSON text of each message, at most so many, with a comma behind it. Raises as `bytes` does."""
        return tuple(map(_most_bytes, self.messages))

    @cached_property
    def rest_bytes(self) -> int:
        """Of its JSON text, with an empty list of messages. Raises as `bytes` does."""
        return json_bytes({**self.params, "messages": []}) if self.beside is None else self.beside.bytes

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The markers set on tools, system and blocks, in render order: tools, system, messages."""
        spots = chain(self.tools, self.system, self.before.marked, self.blocks)
        marked = (spot for spot in spots if spot.block.get("cache_control") is not None)
        return tuple(Mark(spot.path, spot, spot.block["cache_control"]) for spot in marked)

    def since(self, version: str) -> bool:
        """Whether the rules of that API version are in force (versions are ISO dates)."""
        return self.version >= version

    def beta(self, *families: str) -> bool:
        """Whether a beta of one of these families is asked for."""
        return any(beta.startswith(families) for beta in self.betas)

    def option(self, name: str) -> Mapping[str, Any]:
        """A parameter that is an object; empty when absent or of another type (`parameter-type` says so)."""
        value = as_mapping(self.params.get(name))
        return value if value is not None else {}

    @property
    def continues_thread(self) -> bool:
        """The server holds what came before: the body is a continuation, not a whole conversation."""
        return self.option("thread").get("type") == "continue"


Rule = Callable[[Body], Iterable[Finding]]


_KINDS: dict[Rule, frozenset[str]] = {}
"""The types of blocks that rules are about, of those that are about some."""


def about(*kinds: str) -> Callable[[Rule], Rule]:
    """A rule about blocks of these types: it is not asked where the messages hold none."""

    def of_these(rule: Rule) -> Rule:
        _KINDS[rule] = frozenset(kinds)
        return rule

    return of_these


def has_to_look(rule: Rule, kinds: frozenset[str]) -> bool:
    """Whether there is something for a rule to look at where the messages hold blocks of these types."""
    return rule not in _KINDS or not kinds.isdisjoint(_KINDS[rule])


def read(
    params: Mapping[str, Any],
    *,
    card: ModelCard,
    betas: Collection[str],
    version: str,
    before: Before = NOTHING_BEFORE,
    beside: Beside | None = None,
    bounds: bool = False,
) -> Body:
    """Read `params`, whose messages may stand behind others; never raises on odd content.

    `beside`: what is known of the rest, where that is well formed; `bounds`: whether a bound of its size will do.
    """
    malformed: list[Finding] = []
    if beside is not None:
        tools, system = beside.tools, beside.system
    else:
        tools = _spots(params.get("tools"), "tools", "tools", malformed)
        system = _content(params.get("system"), "system", "system", malformed)
    messages = tuple(_messages(params.get("messages"), malformed))
    return Body(
        params=params,
        card=card,
        betas=frozenset(betas),
        version=version,
        tools=tools,
        system=system,
        messages=messages,
        blocks=tuple(unfolded(messages)),
        malformed=tuple(malformed),
        before=before,
        beside=beside,
        bounds=bounds,
    )


def json_bytes(value: Any) -> int:
    """How long a value is as the JSON that is sent. Raises TypeError, ValueError or RecursionError where it is none."""
    return len("".join(_encode(value, 0)).encode(errors="replace"))


def _most_bytes(message: Message) -> int:
    """Text as if each character of it had to be escaped; all else exactly."""
    most = MESSAGE_FRAME + len(message.role)
    for spot in message.spots:
        if spot.kind != "text" or len(spot.block) != len(_TEXT):
            break
        most += TEXT_FRAME + len(ESCAPED) * len(spot.block.get("text", ""))
    else:
        if len(message.fields) == len(_MESSAGE):
            return most
    return json_bytes(message.fields) + len(",")


def _opaque(value: Any) -> Any:
    """SDK objects as their fields; anything else (an open file) has a size that is unknown here."""
    made = as_mapping(value)
    return dict(made) if made is not None else str(value)


_encode = encoder(default=_opaque)
"""What holds itself is told by the depth it comes to, and not looked for in every value."""


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A dict, or an SDK object as one; None for anything else."""
    if value is None or type(value) is dict or isinstance(value, Mapping):  # the last takes its time
        return value
    made = value.to_dict() if hasattr(value, "to_dict") else None
    return made if isinstance(made, Mapping) else None


def items(value: Any) -> Sequence[Any]:
    """The elements of a list or tuple; none for anything else (an iterator could be read but once)."""
    return value if isinstance(value, LISTS) else ()


def unfold(spot: Spot, depth: int = DEPTH) -> Iterator[Spot]:
    """The blocks inside a block, then the block itself."""
    if spot.kind in NESTING and depth:
        for path, block in _inner(spot):
            yield from unfold(spot_of(path, spot.role, block), depth - 1)
    yield spot


def unfolded(messages: Iterable[Message]) -> Iterator[Spot]:
    """Every block of messages, inner blocks before the block that holds them."""
    for message in messages:
        for spot in message.spots:
            if spot.kind in NESTING:
                yield from unfold(spot)
            else:
                yield spot


def _inner(spot: Spot) -> Iterator[tuple[str, Mapping[str, Any]]]:
    holder, path = spot.block, f"{spot.path}.content"
    if spot.kind == "document":
        holder, path = as_mapping(spot.block.get("source")) or {}, f"{spot.path}.source.content"
    for index, item in enumerate(items(holder.get("content"))):
        block = as_mapping(item)
        if block is not None:
            yield f"{path}.{index}", block


def _messages(value: Any, malformed: list[Finding]) -> Iterator[Message]:
    for index, item in enumerate(items(value)):
        path = f"messages.{index}"
        fields = as_mapping(item)
        if fields is None:
            malformed.append((path, f"a message is an object with role and content, not {item!r:.60}"))
            continue
        role = str(fields.get("role"))
        spots = _content(fields.get("content"), role, f"{path}.content", malformed)
        yield Message(path, role, spots, fields)


def _content(value: Any, role: str, path: str, malformed: list[Finding]) -> tuple[Spot, ...]:
    if isinstance(value, str):
        # A string is one text block; an empty `system` string is the same as none.
        text = {"type": "text", "text": value}
        return (spot_of(path, role, text),) if value or path != "system" else ()
    return _spots(value, role, path, malformed)


def _spots(value: Any, role: str, path: str, malformed: list[Finding]) -> tuple[Spot, ...]:
    if not isinstance(value, LISTS):
        if value is not None:
            wanted = "a list" if role == "tools" else "text or a list"
            malformed.append((path, f"expected {wanted}, not {value!r:.60}"))
        return ()
    found = []
    for index, item in enumerate(value):
        block = as_mapping(item)
        if block is None or not (role == "tools" or isinstance(block.get("type"), str)):
            malformed.append((f"{path}.{index}", f"expected an object with a 'type', not {item!r:.60}"))
        else:
            found.append(spot_of(f"{path}.{index}", role, block))
    return tuple(found)


def _runs(messages: Iterable[Message]) -> Iterator[MergedTurn]:
    for role, group in groupby(messages, key=attrgetter("role")):
        run = list(group)  # mostly one message
        spots = tuple(chain(*(message.spots for message in run))) if len(run) > 1 else run[0].spots
        yield MergedTurn(run[0].path, role, spots)
