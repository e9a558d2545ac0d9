"""From a new turn to what is asked of the indexes.

Words of the new turn, and with less weight of the exchange before it; identifiers, numbers and quoted phrases
weigh more and are asked for as phrases. Whatever stands in the text is text: each term is one quoted string of
the index's language, so operators and quotation marks have no meaning there. What else a question says by its form
(whose words it is about, times, the first thing or the last) is told beside the terms. Knows nothing of what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Literal

from sash.model.patterns import late
from sash.recall.meant import End, Speaker, broad, ends_meant, points, speaker_meant
from sash.recall.times import Span, spans
from sash.recall.words import SPACELESS, runs, telling, words

MOST_TERMS = 64
READ = 4_000
"""Characters of a text that are read, half from its beginning and half from its end."""

PLAIN, NUMBER, NAMED, QUOTED = 1.0, 1.5, 2.0, 2.0
BEFORE = 0.25
"""Weight of the last exchange's words: they tell what "it" is, and must not drown the question ..."""
VAGUE = 2
"""... which has fewer words of its own than this; to one that speaks for itself they only add noise."""
POINTING, POINTED = 2, 0.6
"""A question of so few words that points at something ("How much was she?") means what was just spoken of."""
BEFORE_READ = 200
"""Characters of what was said before that tell the meaning of a question that points there."""

_QUOTED = late(r'"([^"]+)"|“([^”]+)”|«([^»]+)»|„([^“]+)“|`([^`]+)`|「([^」]+)」')
_JOINED = late(r"[^\W_]+(?:[-_./:#@+]+[^\W_]+)+")
_IDENTIFIER = late(r"\d|_|@|\w\w\.\w\w")


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
    speaker: Speaker | None = None
    """whose turns are meant"""
    times: tuple[Span, ...] = ()
    """when it was said"""
    end: End | None = None
    """the first thing is meant, or the last"""
    broad: bool = False
    """many turns are meant, each for a little"""

    def __bool__(self) -> bool:
        return bool(self.terms or self.times or self.end)

    @property
    def words(self) -> list[str]:
        """The single words among the terms."""
        return [term.text for term in self.terms if term.index == "words" and " " not in term.text]

    @property
    def dated(self) -> bool:
        """Whether dates are named beside other words: what happened then may be told at another time."""
        said = {word for one in self.times for word in words(one.said)}
        return bool(self.times) and not any(one.relative for one in self.times) and bool(set(self.words) - said)

    def about(self, names: Set[str]) -> str:
        """The text without the speakers' names: whom it concerns is no part of what it means."""
        kept = " ".join(part for part in self.text.split() if not set(words(part)) & names)
        return kept or self.text


def make_query(new: str, before: Sequence[str] = (), *, now: float | None = None, zone: tzinfo = UTC) -> Query:
    """The query for a new turn; empty where it says nothing.

    `before`: the texts of the last exchange, which tell what a vague turn is about. `now`: the moment from which times
    in it are told, in the time zone `zone`; None: times mean nothing.
    """
    read = _read(new)
    times = spans(read, now, zone) if now is not None else ()
    end, said = ends_meant(read)
    told = _without(read, [*(one.said for one in times if one.relative), *said])
    dated = {word for one in times for word in words(one.said) if word[0].isdigit()}  # 27 alone is any 27
    own = {term.text: term for term in _terms(told) if term.text not in dated}
    terms, context = dict(own), ""
    if before and not (times or end):
        weight, context = _before(read, own, before)
        for term in (term for text in before if weight for term in _terms(_read(text))):
            terms.setdefault(term.text, replace(term, weight=weight * term.weight))
    if not (own or context or times or end):
        return Query()
    timeless = _without(told, [one.said for one in times])
    return Query(
        terms=_most(list(terms.values())),
        text=f"{context} {told}".strip() if context or telling(timeless) or runs(timeless) else "",
        speaker=speaker_meant(read),
        times=times,
        end=end,
        broad=broad(read),
    )


def _before(new: str, own: Mapping[str, Term], before: Sequence[str]) -> tuple[float, str]:
    """What the words said before weigh in a new turn with words of its own, and what of them tells its meaning."""
    if points(new) and len(own) <= POINTING:
        return POINTED, before[0][:BEFORE_READ]
    return (BEFORE, "") if 0 < len(own) < VAGUE else (0.0, "")


def _without(text: str, said: Sequence[str]) -> str:
    """A text without the words that tell a time from now: they stand in no turn of that time."""
    for words_of_time in said:
        at = text.lower().find(words_of_time)
        text = text[:at] + " " + text[at + len(words_of_time) :] if at >= 0 else text
    return text


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
