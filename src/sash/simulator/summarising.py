"""The simulated Claude's summaries: quotations of what holds numbers, names or instructions, in their order.

A prompt that names titles ("## Facts") gets its summary under these titles, and one that names a length ("at most 300
words") a summary within it. What is summarised is the conversation, or the material that stands in tags of the request
itself; the previous summary is material like any other, so that it wears out unless somebody takes care.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sash.simulator.prompt import blocks_of, visible_messages
from sash.simulator.reading import UNKNOWN, Reading, Sentence, clip, said, text_of, texts

_SUMMARISE = re.compile(
    r"\b(summari[sz]e|summari[sz]ing|(write|make|update|give|produce|create)\b.{0,60}\bsummar(?:y|ies))\b",
    re.I,
)
OPENING = 400
"""Characters of a system prompt in which a summariser's says what it is for; other prompts speak of summaries, too."""
NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]+|\b[A-Z]{2,}[\w-]*|\b\w*\d[\w-]*")
_RULE = re.compile(r"\b(?:please|prefer|from now on|call me|my name|instead|decided|agreed)\b", re.I)
_ORDER = re.compile(
    r"^(?:please,? )?(?:always (?!(?:a|be|here|been|so)\b)\w+|never (?!(?:mind|\w+ed|saw|heard|been|seen)\b)\w+|"
    r"(?:do not|don't) (?!(?:worry|forget|know|give|be|let|quit|stop|you|think)\b)\w+|(?:answer|reply) in|only use|"
    r"call me|keep your)\b|\bfrom now on\b|\bwhen(?:ever)? I (?:ask|say|mention)\b|\bremember that\b",
    re.I,
)
_TITLED = re.compile(r"^#{1,4} +(\S.*?) *$", re.M)
_LENGTH = re.compile(r"\b(?:at most|up to|no more than|within|under|maximum of) (\d[\d,]*) words\b", re.I)
_NUMBERED = re.compile(r"^(?:#.*$|[-*•] +)?(?:\((?:\d+)?(?:, )?(?:\d{4}-\d\d-\d\d)?\) )?")
_IN_TAGS = re.compile(r"<(\w+)\b[^<>]*>.*</\1>", re.S)
SHARE = 0.25
"""Part of what was said that a summary quotes, where no length is asked for."""


def is_summary_request(body: Mapping[str, Any], asked: str) -> bool:
    """Whether the newest user text asks for a summary, or the system prompt is a summariser's."""
    return bool(_SUMMARISE.search(asked[:2_000]) or _SUMMARISE.search(asked[-2_000:]) or _is_summariser(body))


def _is_summariser(body: Mapping[str, Any]) -> bool:
    return _SUMMARISE.search(_system(body)[:OPENING]) is not None


def _orders(body: Mapping[str, Any], asked: str) -> str:
    """Where the form of the summary is asked for: in the request, and in a summariser's system prompt."""
    return f"{_system(body)}\n{asked}" if _is_summariser(body) else asked


def _system(body: Mapping[str, Any]) -> str:
    return "\n".join(text_of(block) for block in blocks_of(body.get("system") or ()))


def summary_of(body: Mapping[str, Any], reading: Reading) -> list[Sentence]:
    """The sentences that a summary consists of; none when none is asked for."""
    if not is_summary_request(body, reading.asked):
        return []
    return summary_sentences(_material(reading), most=_length(body, reading))


def written(body: Mapping[str, Any], reading: Reading) -> str:
    """The summary that the request asks for, in its form; "" when none is asked for."""
    chosen = summary_of(body, reading)
    titles = _TITLED.findall(_orders(body, _IN_TAGS.sub("", reading.asked)))
    if not chosen or not titles:
        return " ".join(sentence.text for sentence in chosen)
    return "\n".join(_sections(titles, chosen, _material(reading)))


def _material(reading: Reading) -> list[Sentence]:
    """What is summarised: everything said, and what stands in the request itself (in tags, if it has any)."""
    inside = "\n".join(match[0] for match in _IN_TAGS.finditer(reading.asked)) or reading.asked
    told = [*reading.sentences, *(one for one in said("user", inside) if not _about_the_task(one.text))]
    plain = (Sentence(_NUMBERED.sub("", one.text), one.words, one.role) for one in told)
    return [one for one in plain if one.text]


def _about_the_task(text: str) -> bool:
    return bool(_SUMMARISE.search(text) or _LENGTH.search(text))


def _length(body: Mapping[str, Any], reading: Reading) -> int | None:
    found = _LENGTH.findall(_orders(body, reading.asked))
    return int(found[-1].replace(",", "")) if found else None


def _sections(titles: Sequence[str], chosen: Sequence[Sentence], told: Sequence[Sentence]) -> Iterator[str]:
    """The chosen sentences under their titles; the last things said stand under those that ask for the present."""
    orders = [one.text for one in chosen if one.role == "user" and _ORDER.search(one.text)]
    last = [one for one in told if one.role == "user"][-1:]
    now = [one.text for one in last]
    asked = [text for text in now if text.endswith(("?", "？"))]
    for title in titles:
        lines = {
            "instruction": orders,
            "fact": [one.text for one in chosen if one.text not in orders],
            "request": asked,
            "stand": now,
        }
        found = next((lines[word] for word in lines if word in title.lower()), [])
        yield f"## {title}"
        yield "\n".join(f"- {text}" for text in dict.fromkeys(found)) or "- none"


def summary_sentences(
    sentences: Sequence[Sentence], share: float = SHARE, least: int = 3, most: int | None = None
) -> list[Sentence]:
    """The most telling part of what was said (by characters, about `share`), in the order in which it was said.

    `most` is the words that it stays within, if that is less.
    """
    told = [one for one in sentences if one.role != "system" and one.text not in UNKNOWN and not one.text.endswith("?")]
    allowed = max(share * sum(len(one.text) for one in told), 1)
    words = most if most is not None else math.inf
    chosen: dict[str, int] = {}
    for at in sorted(range(len(told)), key=lambda at: (-_interest(told[at]), at)):
        text = told[at].text
        long = len(text.split())
        if text in chosen or long > words or (len(chosen) >= least and len(text) > allowed):
            continue
        chosen[text] = at
        allowed -= len(text)
        words -= long
    return [told[at] for at in sorted(chosen.values())]


def compacted(body: Mapping[str, Any], share: float) -> str:
    """About `share` of what a whole conversation says, by quoting; the system prompt is no part of it."""
    told = [sentence for role, text in texts({}, visible_messages(body)) for sentence in said(role, text)]
    return "\n".join(clip(sentence.text) for sentence in summary_sentences(told, share))


def _interest(sentence: Sentence) -> float:
    """How much a sentence holds that must not be lost: names, numbers and instructions, for its length."""
    facts = len(NAME.findall(sentence.text)) + 2 * len(_RULE.findall(sentence.text))
    facts += 3 * bool(_ORDER.search(sentence.text)) + (sentence.role == "user")
    return facts / math.sqrt(8 + len(sentence.words))
