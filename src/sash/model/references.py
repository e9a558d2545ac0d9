"""What the arguments of a tool call refer to: values in them that earlier messages hold.

A value is something that nobody could write down without having read it: a path or address, an id, a number, a quoted
string, a line of a longer text. A call *needs* a value that stands in an earlier message; what stands in the call's own
message alone was made up there. Left out, by rule: what is shorter than `SHORTEST` characters, a single ordinary word,
a value that more than `COMMON` of the earlier messages hold (once there are `MANY`), and a value that is
part of a longer one of the same call. Pure, and the same for the same history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sash.model.blocks import readable
from sash.model.values import leaves

SHORTEST, LONGEST, LINE = 4, 400, 20
"""Characters of a value, at least and at most; of a line in a longer text, at least."""
COMMON, MANY = 0.2, 10
"""The share of the earlier messages, of at least so many, that makes a value common."""

_PATTERNS = (
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\w+://[^\s'\"`<>)\]}]+"),  # addresses
    re.compile(r"(?:~|\.{1,2}|[\w.@+-]+)?(?:/[\w.@+-]+)+/?"),  # paths
    re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{4,}\b"),  # ids: letters and digits
    re.compile(r"\b\d[\d.,:-]{2,}\d\b"),  # numbers, dates
    re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|`([^`\n]+)`"),  # quoted strings
)
_WORD = re.compile(r"\w+")
_ORDINARY = re.compile(r"[^\W\d_]+")


def values_of(arguments: Any) -> frozenset[str]:
    """The values in a call's arguments (any JSON)."""
    found = (value.strip() for leaf in leaves(arguments) for value in _candidates(leaf))
    return frozenset(value for value in found if _tells(value))


def _candidates(leaf: str) -> Iterator[str]:
    lines = leaf.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line.strip()) >= LINE)
    else:
        yield leaf
    for pattern in _PATTERNS:
        for match in pattern.finditer(leaf):
            yield match[match.lastindex or 0].rstrip(".,:;")


def _tells(value: str) -> bool:
    return SHORTEST <= len(value) <= LONGEST and not _ORDINARY.fullmatch(value)


def holds(text: str, value: str) -> bool:
    """Whether a value stands in a text as a whole: 1138 does not stand in 41138."""
    at = text.find(value)
    while at >= 0:
        if not (_joined(text, at) or _joined(text, at + len(value))):
            return True
        at = text.find(value, at + 1)
    return False


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on over the place `at`."""
    return 0 < at < len(text) and _letter(text[at - 1]) and _letter(text[at])


def _letter(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Where a value stands."""

    message: int
    """index in the history"""
    result: str = ""
    """id of the call whose result holds it; "" elsewhere: what was said, or another call's arguments"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A value that a call could not have been made without."""

    value: str
    message: int
    """index of the message that makes the call"""
    call: str
    """its id"""
    places: tuple[Holder, ...]
    """all earlier ones that hold it, oldest first"""

    @property
    def result(self) -> Holder | None:
        """The newest result that holds it, if only results do: nothing else in the history says it."""
        return self.places[-1] if all(place.result for place in self.places) else None


def needs(history: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> tuple[Need, ...]:
    """What the calls of a history (role and blocks of each message, oldest first) need, in their order."""
    said = _Earlier()
    found: list[Need] = []
    for number, (role, blocks) in enumerate(history):
        for block in blocks if role == "assistant" else ():
            if block.get("type") == "tool_use":
                found += _of_call(block, number, said)
        said.add(number, blocks)
    return tuple(found)


def _of_call(block: Mapping[str, Any], number: int, said: _Earlier) -> list[Need]:
    known = {value: places for value in values_of(block.get("input")) if (places := said.places(value))}
    whole = [value for value in known if not any(value != longer and value in longer for longer in known)]
    return [
        Need(value=value, message=number, call=str(block.get("id")), places=known[value])
        for value in sorted(whole)
        if not said.common(known[value])
    ]


@dataclass
class _Earlier:
    """What was said so far, found by its words."""

    texts: list[tuple[Holder, str]] = field(default_factory=list)
    words: dict[str, list[int]] = field(default_factory=dict)
    """word -> indices of the texts that hold it"""
    messages: int = 0

    def add(self, number: int, blocks: Sequence[Mapping[str, Any]]) -> None:
        """Take in a message: each result by itself, and all else that it says."""
        self.messages = number + 1
        for block in blocks:
            result = str(block.get("tool_use_id")) if block.get("type") == "tool_result" else ""
            text = text_of(block)
            for word in set(_WORD.findall(text)):
                self.words.setdefault(word, []).append(len(self.texts))
            self.texts.append((Holder(message=number, result=result), text))

    def places(self, value: str) -> tuple[Holder, ...]:
        """Where a value stands: where its rarest word does, and the value as a whole."""
        rows = [self.words.get(word, []) for word in _WORD.findall(value)]
        rarest = min(rows, key=len, default=range(len(self.texts)))
        return tuple(dict.fromkeys(self.texts[row][0] for row in rarest if holds(self.texts[row][1], value)))

    def common(self, places: Sequence[Holder]) -> bool:
        """Whether too many messages hold it for one of them to be missed."""
        held = len({place.message for place in places})
        return self.messages >= MANY and held > COMMON * self.messages


def text_of(block: Mapping[str, Any]) -> str:
    """What a block says; of a call its arguments, each on a line of its own, as they were meant and not as JSON."""
    if block.get("type") == "tool_use":
        return "\n".join(leaves(block.get("input")))
    return readable([block])


InView = Literal["verbatim", "handle", "missing"]


def held(need: Need, view: Iterable[Sequence[Mapping[str, Any]]]) -> InView:
    """Whether a request still tells a call what it needs; `view` are the blocks of its messages.

    "verbatim": the value stands there. "handle": it does not, but a placeholder of a result that held it does, and says
    how to read it again, or stands beside its call, arguments and all. Ids of calls are those of the history.
    """
    blocks = [block for message in view for block in message]
    if any(holds(text_of(block), need.value) for block in blocks):
        return "verbatim"
    results = {place.result for place in need.places}
    again = {block.get("id") for block in blocks if block.get("type") == "tool_use" and block.get("input")}
    for block in blocks:
        id = block.get("tool_use_id")
        if block.get("type") == "tool_result" and id in results and (id in again or holds(text_of(block), str(id))):
            return "handle"
    return "missing"
