"""Facts that must be kept: what turns and an earlier summary say that a user would miss, and what losing it costs.

Rules, no model. A fact is a value (a number, a date, a name, an id, an address, an identifier) with the statement it
stands in, or a standing instruction of the user, word for word. What an earlier summary kept comes back with its
speaker and turn, so that cuts in a row do not wear it out. Which facts find room is decided in `guard`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sash.model.patterns import late
from sash.model.turns import Turn
from sash.recall.words import runs, words
from sash.summaries.instructions import instructs
from sash.summaries.layout import SummaryLine, parse
from sash.summaries.statements import Speaker, Statement, clauses, looks_coded, sentences, statements
from sash.summaries.values import Kind, Value, values
from sash.summaries.worth import Surroundings, of_statement, of_value

INSTRUCTION_WORTH = 100.0
"""Cost of losing a standing instruction: more than any fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that must not be lost."""

    kind: Kind
    text: str
    """the value as it was written; for an instruction all of it"""
    seq: int
    """the turn it was said in; 0 where only an earlier summary knows it"""
    role: Speaker
    quote: str
    """the statement it stands in"""
    worth: float = 1.0
    """cost of losing it, without a unit: greater weighs more"""
    on: str = ""
    """the day it was said, where the statement means nothing without it"""

    @property
    def line(self) -> SummaryLine:
        """How a summary quotes it."""
        return SummaryLine(text=self.quote, seq=self.seq, speaker=self.role, on=self.on)


def facts_of(turns: Sequence[Turn], previous: str = "") -> tuple[Fact, ...]:
    """The must-keep facts of turns that leave the view, and of the summary before (text, or several joined).

    Instructions of role system are left out: they are in force without a summary. In the order of the record,
    what comes from the summary first.
    """
    said = [*_of_summary(previous), *(clause for one in statements(turns) for clause in _clauses(one))]
    common = _common_words(said)
    found = [(one, () if instructs(one) else tuple(values(one.text, common.__contains__))) for one in said]
    crowds, series = Counter[tuple[int, bool]](), Counter[str]()
    for one, held in found:
        crowds[one.seq, one.quoted] += len(held)
        series[_mould(one, held)] += 1
    return tuple(
        fact
        for one, held in found
        for fact in _facts(one, held, Surroundings(crowd=crowds[one.seq, one.quoted], series=series[_mould(one, held)]))
    )


def _mould(statement: Statement, held: Sequence[Value]) -> str:
    """A statement without its values: what is said in one mould again and again is a series."""
    text = statement.text
    for value in reversed(held):
        text = f"{text[: value.start]} {text[value.start + len(value.text) :]}"
    return normal(text)


def instructions_of(turns: Sequence[Turn], previous: str = "") -> tuple[Fact, ...]:
    """The standing instructions among `facts_of`."""
    return tuple(fact for fact in facts_of(turns, previous) if fact.kind == "instruction")


def _clauses(statement: Statement) -> Iterator[Statement]:
    if instructs(statement):
        yield statement
        return
    for clause in clauses(statement.text):
        yield replace(statement, text=clause)


_LISTED = "Rules:"
"""Head under which an earlier summary's instructions are read again: whatever their form, they are instructions."""


def _of_summary(text: str) -> Iterator[Statement]:
    summary = parse(text)
    for told in summary.instructions:
        yield Statement(text=told.text, seq=told.seq, speaker="user", listed=True, head=_LISTED, on=told.on)
    for told in summary.kept:
        coded = looks_coded(told.text)
        yield Statement(text=told.text, seq=told.seq, speaker=told.speaker, quoted=coded, on=told.on)
    for lines in summary.prose.values():
        for line in lines:
            for sentence in sentences(line):
                for clause in clauses(sentence):
                    yield Statement(text=clause, seq=0, speaker="summary", quoted=looks_coded(line))


def _facts(statement: Statement, held: Sequence[Value], setting: Surroundings) -> Iterator[Fact]:
    if instructs(statement):
        yield _instruction(statement)
        return
    weight = of_statement(statement, held, setting)
    for value in held:
        yield Fact(
            kind=value.kind,
            text=value.text,
            seq=statement.seq,
            role=statement.speaker,
            quote=statement.text,
            worth=round(weight * of_value(value), 4),
            on=statement.on,
        )


def _instruction(statement: Statement) -> Fact:
    return Fact(
        kind="instruction",
        text=statement.text,
        seq=statement.seq,
        role="user",
        quote=statement.text,
        worth=INSTRUCTION_WORTH,
        on=statement.on,
    )


_SMALL = late(r"(?<![\w'’-])[^\W\d_A-Z][\w'’-]*")


def _common_words(said: Iterable[Statement]) -> frozenset[str]:
    """Words that are also written in small letters: at the beginning of a sentence they are no names."""
    found: set[str] = set()
    for one in said:
        found.update(word for word in _SMALL.findall(one.text) if word.islower())
    return frozenset(found)


def normal(text: str) -> str:
    """A text as it is compared: its words in small letters, then its runs of signs without blanks, one blank apart."""
    return " ".join((*words(text), *runs(text)))
