"""Which class of content a text is: corrections and bounds are kept per class.

A rough cut that needs no tokenizer and looks at a few samples only; being wrong costs accuracy of the
correction, never the count itself.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from sash.model.patterns import late

ContentClass = Literal["prose", "code", "json", "scripts"]
"""Words of Latin script; program text; JSON; other scripts (CJK, Cyrillic, Arabic, emoji, ...)."""
CLASSES: tuple[ContentClass, ...] = get_args(ContentClass)

_SAMPLE = 2_000
_FOREIGN = late("[^\x00-\u036f\u1e00-\u206f]")
_SYMBOL = re.compile(r"""[^\w\s.,;:!?'"()\-–—’“”…]|_""")
"""What is no letter, digit or white space, nor a sign of prose."""
_PROSE = bytes(code for code in range(128) if not _SYMBOL.match(chr(code)))
"""All else in ASCII."""


def content_class(text: str) -> ContentClass:
    """The class of `text`, judged by at most three samples of it."""
    sample = _sampled(text)
    if not sample:
        return "prose"
    if not sample.isascii() and len(_FOREIGN.findall(sample)) > 0.2 * len(sample):
        return "scripts"
    if _looks_like_json(text):
        return "json"
    return "code" if _symbols(sample) > 0.035 * len(sample) or _indented(sample) else "prose"


def _sampled(text: str) -> str:
    if len(text) <= 3 * _SAMPLE:
        return text
    middle = len(text) // 2
    return text[:_SAMPLE] + text[middle : middle + _SAMPLE] + text[-_SAMPLE:]


def _symbols(sample: str) -> int:
    """How many there are; ASCII, as most texts are, is counted without matching every character."""
    return len(sample.encode().translate(None, _PROSE) if sample.isascii() else _SYMBOL.findall(sample))


def _looks_like_json(text: str) -> bool:
    head, tail = text[:64].lstrip(), text[-64:].rstrip()
    quoted = text[:_SAMPLE].count('"')
    return head[:1] in ("{", "[") and tail[-1:] in ("}", "]") and quoted >= 2


def _indented(sample: str) -> bool:
    """Whether a third of the lines begin with white space."""
    lines = [line for line in sample.split("\n") if line.strip()]
    return len(lines) > 2 and sum(line[0] in " \t" for line in lines) * 3 > len(lines)
