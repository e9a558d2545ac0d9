"""How the simulated Claude reads a prompt: the newest request, and everything else as sentences with their speakers.

Turns that stand in a text as data (`<turn role="user">`, as transcripts are handed to a model) keep their speakers.
It takes in what can be read: text, tool results, documents, summaries, tool inputs; never thinking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sash.simulator.prompt import Block, blocks_of, visible_messages

UNKNOWN = "I don't know: nothing in this conversation tells me that."
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\b[DM]r\.)(?<!\bMrs\.)(?<!\bSt\.)(?<!\bNo\.)\s+|(?<=[.!?][\"'”’)\]])\s+|(?<=[。！？])"
)
_QUOTING = re.compile(
    r"^(?:(?:From our conversation|You said|The result): |- \[\d{4}-\d\d-\d\d\] (?:\(in short\) )?|- \d{4}-\d\d-\d\d: |"
    r"(?:user|assistant): )+"
)
"""What stands around a quotation: our own words, the day and the speaker where a prompt quotes what was said."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*", re.U)
_TAG = re.compile(r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?>")
_STOP = frozenset(
    re.findall(
        r"\S+",
        "a about again all also an and any are as at be because been before but by can could did do does doing for "
        "from get give had has have he her hers him his how i if in into is it its just know list made make may me "
        "mine might more most my no nor not of off on once only or other our ours out please recall remember remind "
        "repeat said say she should show so some such tell than that the their them then there these they this those "
        "to told too up us very was we were what when where which who whom whose why will with would you your yours",
    )
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the prompt: its text, its telling words, who said it."""

    text: str
    words: frozenset[str]
    role: str


@dataclass(slots=True)
class Reading:
    """A prompt as the replies see it: the newest request, and everything else as sentences."""

    asked: str
    results: list[tuple[str, str]]
    sentences: list[Sentence]


def read(body: Mapping[str, Any]) -> Reading:
    """A prompt, read."""
    messages = visible_messages(body)
    asked, results = newest(messages)
    told = list(texts(body, messages))
    place = max((at for at, one in enumerate(told) if one == ("user", asked)), default=-1)
    sentences = [sentence for at, (role, text) in enumerate(told) if at != place for sentence in said(role, text)]
    return Reading(asked, results, sentences)


def newest(messages: Sequence[Block]) -> tuple[str, list[tuple[str, str]]]:
    """The newest user text (its last block), and the (id, text) of the tool results beside it."""
    message = next((message for message in reversed(messages) if message["role"] == "user"), None)
    blocks = blocks_of(message["content"]) if message is not None else []
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    results = [(block["tool_use_id"], text_of(block)) for block in blocks if block["type"] == "tool_result"]
    return (texts[-1] if texts else ""), results


def texts(body: Mapping[str, Any], messages: Sequence[Block]) -> Iterator[tuple[str, str]]:
    """The texts of a prompt with their roles, in order."""
    for block in blocks_of(body.get("system") or ()):
        yield "system", text_of(block)
    for message in messages:
        for block in blocks_of(message["content"]):
            if text := text_of(block):
                yield message["role"], text


def text_of(block: Block) -> str:
    """All that can be read in a block: text, tool results, documents, summaries, tool inputs; never thinking."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "tool_use":
        return f"{block['name']} {json.dumps(block['input'], ensure_ascii=False)}"
    if kind == "document":
        source = block["source"]
        inner = source.get("data") if source.get("type") == "text" else source.get("content") or ""
        return inner if isinstance(inner, str) else "\n".join(map(text_of, inner))
    content = block.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(text_of(part) for part in content or () if isinstance(part, Mapping))


_TOLD = re.compile(r'<(\w+)\b[^<>]*\brole="(\w+)"[^<>]*>(.*?)</\1>', re.S)


@lru_cache(maxsize=4_096)
def said(role: str, text: str) -> tuple[Sentence, ...]:
    """The sentences of a text that somebody said; those of turns quoted in it are their speakers'.

    Remembered, for each request of a conversation says again what the one before it said.
    """
    found: list[Sentence] = []
    end = 0
    for told in _TOLD.finditer(text):
        found += _spoken(role, text[end : told.start()])
        found += _spoken(told[2], told[3])
        end = told.end()
    return (*found, *_spoken(role, text[end:]))


def _spoken(role: str, text: str) -> Iterator[Sentence]:
    return (Sentence(sentence, words, role) for sentence, words in split(text))


@lru_cache(maxsize=4_096)
def split(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The sentences of a text with their telling words; tags and blank lines fall away.

    Remembered, for what is quoted in a text was mostly said before.
    """
    found = []
    for line in _TAG.sub("\n", text).split("\n"):
        found += [part for piece in _SENTENCE_END.split(line) if (part := _QUOTING.sub("", piece.strip()))]
    return tuple((sentence, telling(sentence)) for sentence in found)


def telling(text: str) -> frozenset[str]:
    """The words of a text that say something, without the commonest endings."""
    words = (word.lower().removesuffix("'s").removesuffix("’s") for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in _STOP and (len(word) > 1 or not word.isascii()))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def clip(text: str, most: int = 400) -> str:
    """A text of at most `most` characters, cut at a blank."""
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " ..."
