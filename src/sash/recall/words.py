"""Words as the full-text index sees them, and those that say nothing.

The index breaks text at everything but letters, digits and their marks; scripts written without spaces are
found by runs of characters instead. English words without a meaning of their own are dropped; those of other
languages weigh little because they are common in the conversation.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category, normalize

from sash.model.patterns import late

STOP = frozenset(
    """a about after again all also am an and any are as at be because been before being both but by can could
    d did do does doing down during each few for from further had has have having he hello her here hers hey hi him
    his how i if in into is it its just ll m me more most my no nor not now of off ok okay on once only or other our
    ours out over own please re s same she should so some such sure t than thank thanks that the their theirs them
    then there these they this those through to too under until up ve very was we were what when where which while
    who whom whose why will with would yeah yes you your yours""".split()  # noqa: SIM905 - a list of 120 strings is harder to read
)

# Thai, Lao, Tibetan, Burmese, Khmer; kana; ideographs with their extensions; Korean, whose endings cling to words.
SPACELESS = late(
    "[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f]+"
)

_PLAIN = late("[a-z0-9]+")
"""A word of a text without other signs; others are told by Unicode's categories, which takes ten times as long."""


def words(text: str) -> list[str]:
    """The words of a text in order, in small letters; runs of spaceless scripts are left out."""
    if text.isascii():
        return _PLAIN.findall(text.lower())
    spaced = SPACELESS.sub(" ", text.lower())
    return "".join(sign if _of_a_word(sign) else " " for sign in spaced).split()


def runs(text: str) -> list[str]:
    """The runs of spaceless scripts in a text, in order."""
    return SPACELESS.findall(text)


def telling(text: str) -> list[str]:
    """The words that say something."""
    return [word for word in words(text) if tells(word)]


def tells(word: str) -> bool:
    """Whether a word says something: no stop word, no single letter."""
    return word not in STOP and (len(word) > 1 or word.isdigit())


def bare(text: str) -> str:
    """The text in small letters without accents, as the index compares it; each letter stays in its place."""
    return text.lower() if text.isascii() else "".join(map(_bare_letter, text))


@lru_cache(maxsize=4_096)
def _bare_letter(sign: str) -> str:
    parts = normalize("NFD", sign.lower())
    return parts[0] if all(category(mark) == "Mn" for mark in parts[1:]) else sign


def _of_a_word(sign: str) -> bool:
    return sign.isalnum() or category(sign)[0] == "M"
