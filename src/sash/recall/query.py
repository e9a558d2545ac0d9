"""From a new turn to what is asked of the indexes.

Words of the new turn, and with less weight of the exchange before it; identifiers, numbers and quoted phrases
weigh more and are asked for as phrases. Whatever stands in the text is text: each term is one quoted string of
the index's language, so operators and quotation marks have no meaning there. Knows nothing of what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from sash.recall.words import SPACELESS, runs, telling, words

MOST_TERMS = 64
READ = 4_000
"""Characters of a text that are read, half from its beginning and half from its end."""

PLAIN, NUMBER, NAMED, QUOTED = 1.0, 1.5, 2.0, 2.0
BEFORE = 0.25
"""Weight of the last exchange's words: they tell what "it" is, and must not drown the question ..."""
VAGUE = 2
"""... which has fewer words of its own than this; to one that speaks for itself they only add noise."""

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»|„([^“]+)“|`([^`]+)`|「([^」]+)」')
_JOINED = re.compile(r"[^\W_]+(?:[-_./:#@+]+[^\W_]+)+")
_IDENTIFIER = re.compile(r"\d|_|@|\w\w\.\w\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One thing to look for."""

    text: str
    index: Literal["words", "characters"] = "words"
    """words, or characters: for scripts without spaces, where `text` is one or two characters"""
    weight: float = PLAIN

    @property
    def match(self) -> str:
        """The term as one string of the index's query language."""
        return f'"{self.text}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for: terms by their weight, and the text for whoever knows meaning. Empty: nothing."""

    terms: tuple[Term, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.terms)

    def about(self, names: Set[str]) -> str:
        """The text without the speakers' names: whom it concerns is no part of what it means."""
        kept = " ".join(part for part in self.text.split() if not set(words(part)) & names)
        return kept or self.text


def make_query(new: str, before: Sequence[str] = ()) -> Query:
    """The query for a new turn; empty where it says nothing.

    `before`: the texts of the last exchange, which tell what a vague turn is about.
    """
    read = _read(new)
    terms: dict[str, Term] = {}
    for term in _terms(read):
        terms.setdefault(term.text, term)
    if not terms:
        return Query()
    for text in before if len(terms) < VAGUE else ():
        for term in _terms(_read(text)):
            terms.setdefault(term.text, replace(term, weight=BEFORE * term.weight))
    return Query(terms=_most(list(terms.values())), text=read)


def _read(text: str) -> str:
    return text if len(text) <= READ else f"{text[: READ // 2]} {text[-READ // 2 :]}"


def _most(terms: list[Term]) -> tuple[Term, ...]:
    """As many as are asked for: the heaviest, and of equals those from the beginning and from the end of the text."""
    over = len(terms) - MOST_TERMS
    if over <= 0:
        return tuple(terms)
    terms.sort(key=lambda term: -term.weight)
    light = [at for at, term in enumerate(terms) if term.weight <= terms[MOST_TERMS].weight]
    first = light[0] + (len(light) - over) // 2
    return tuple(terms[:first] + terms[first + over :])


def _terms(text: str) -> Iterator[Term]:
    """The terms of a text: phrases and identifiers, words, then runs of characters."""
    for groups in _QUOTED.findall(text):
        phrase = words("".join(groups))
        if len(phrase) > 1:
            yield Term(text=" ".join(phrase), weight=QUOTED)
    for joined in _JOINED.findall(SPACELESS.sub(" ", text)):
        if _IDENTIFIER.search(joined):
            yield Term(text=" ".join(words(joined)), weight=NAMED)
    for word in telling(text):
        yield Term(text=word, weight=_weight(word))
    for run in runs(text):
        for pair in (run[at : at + 2] for at in range(max(1, len(run) - 1))):
            yield Term(text=pair, index="characters")


def _weight(word: str) -> float:
    """Of a single word: 1138 and x200 say more than a word of the same rarity."""
    if word.isdigit():
        return NUMBER
    return NAMED if any(sign.isdigit() for sign in word) else PLAIN
