"""Which class of content a text is: corrections and bounds are kept per class.

A rough cut that needs no tokenizer and looks at a few samples only; being wrong costs accuracy of the
correction, never the count itself.
"""

from __future__ import annotations

from typing import Literal, get_args

ContentClass = Literal["prose", "code", "json", "scripts"]
"""Words of Latin script; program text; JSON; other scripts (CJK, Cyrillic, Arabic, emoji, ...)."""
CLASSES: tuple[ContentClass, ...] = get_args(ContentClass)

_SAMPLE = 2_000
_PLAIN = frozenset(".,;:!?'\"()-–—’“”…")


def content_class(text: str) -> ContentClass:
    """The class of `text`, judged by at most three samples of it."""
    sample = _sampled(text)
    if not sample:
        return "prose"
    foreign = sum(char > "\u036f" and not "\u1e00" <= char <= "\u206f" for char in sample)
    if foreign > 0.2 * len(sample):
        return "scripts"
    symbols = sum(not char.isalnum() and not char.isspace() and char not in _PLAIN for char in sample)
    if _looks_like_json(text):
        return "json"
    return "code" if symbols > 0.035 * len(sample) or _indented(sample) else "prose"


def _sampled(text: str) -> str:
    if len(text) <= 3 * _SAMPLE:
        return text
    middle = len(text) // 2
    return text[:_SAMPLE] + text[middle : middle + _SAMPLE] + text[-_SAMPLE:]


def _looks_like_json(text: str) -> bool:
    head, tail = text[:64].lstrip(), text[-64:].rstrip()
    quoted = text[:_SAMPLE].count('"')
    return head[:1] in ("{", "[") and tail[-1:] in ("}", "]") and quoted >= 2


def _indented(sample: str) -> bool:
    """Whether a third of the lines begin with white space."""
    lines = [line for line in sample.split("\n") if line.strip()]
    return len(lines) > 2 and sum(line[0] in " \t" for line in lines) * 3 > len(lines)
