"""What the simulated Claude finds in a user's words when it is asked for entries of a profile: quotations, numbered.

A request asks for them if its reply is to be a list of objects that name a `turn` and a `quote`, and its newest message
holds numbered turns in tags. What counts is what somebody says of himself, or asks for from then on.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sash.simulator.prompt import blocks_of, visible_messages
from sash.simulator.reading import split, text_of

_TURN = re.compile(r'<turn n="(\d+)"[^<>]*>\n?(.*?)\n?</turn>', re.S)
_ASKS = re.compile(
    r"^(?:please,? )?(?:always|never|do not|don't|answer|reply|call me|keep your)\b|\bfrom now on\b", re.I
)
_LIKES = re.compile(
    r"\b(?:I|we) (?:\w+ )?(?:like|love|hate|enjoy|prefer|can't stand|don't (?:eat|drink))\b|"
    r"\ballergic\b|\bvegetarian\b",
    re.I,
)
_OF_ONESELF = re.compile(r"\b(?:I|I'm|I've|my|we|our)\b|\b(?:ich|mein|je|mon|ma|yo|mi)\b|我|私", re.I)
_QUOTED = re.compile(r"[\"'“„«「].*[\"'”“»」]")
LEAST = 12
"""Characters of what says something of somebody."""


def entries_wanted(schema: Any) -> bool:
    """Whether a schema asks for entries of a profile."""
    return {"turn", "quote"} <= set(_fields(schema))


def entries_in(schema: Any, body: Mapping[str, Any]) -> str:
    """The reply: JSON of that schema, from the newest message."""
    asked = "\n".join(map(text_of, blocks_of(visible_messages(body)[-1]["content"])))
    (name,) = schema["properties"]
    empty = {field: [] if field == "replaces" else "" for field in _fields(schema)}
    return json.dumps({name: [{**empty, **entry} for entry in _found(asked)]}, ensure_ascii=False)


def _fields(schema: Any) -> Mapping[str, Any]:
    """The fields of each object, where a schema is of one list of objects."""
    lists = list(_mapping(_mapping(schema).get("properties")).values())
    return _mapping(_mapping(_mapping(lists[0]).get("items")).get("properties")) if len(lists) == 1 else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _found(asked: str) -> Iterator[dict[str, Any]]:
    for number, said in _TURN.findall(asked):
        for sentence, _ in split(html.unescape(said)):
            if kind := _kind(sentence):
                yield {"turn": int(number), "quote": sentence, "kind": kind, "text": sentence}


def _kind(sentence: str) -> str:
    if (len(sentence) < LEAST and sentence.isascii()) or sentence.endswith(("?", "？")) or _QUOTED.search(sentence):
        return ""
    if _ASKS.search(sentence):
        return "instruction"
    if _LIKES.search(sentence):
        return "preference"
    return "fact" if _OF_ONESELF.search(sentence) else ""
