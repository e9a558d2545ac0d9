"""What a demo plays: a recorded conversation as lines to say, and questions to ask at its end.

Made from the conversation that ships with sash, or from any file that `sash.formats` reads. One line is what
the user says and the reply that was recorded to it, so that a replay is the real conversation again.
It knows no strategy and sends nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path

from sash import demo, formats
from sash.errors import InvalidImport
from sash.formats import ImportedConversation, ImportedTurn, Question
from sash.model.blocks import Block, text_block, without_empty_text

SHIPPED_SYSTEM = (
    "You are the project assistant of Marit and Teun, who are turning an old mill house into a guesthouse. "
    "Keep track of suppliers, amounts, dates and decisions, follow their standing instructions, and answer from "
    "what was said. Be brief and concrete."
)
OPENING = "Hello."
"""What the user is made to say where the assistant's side opens the conversation: a request begins with the user."""
ASSUMED_GAP = 60.0
"""Seconds between two lines where the file tells no times, or the same time for a whole session."""
SPOKEN = ("text", "image", "document", "tool_use", "tool_result")
"""Kinds of blocks that are replayed: thinking is signed for the model that thought it, and stays out."""
UNASKED = ("adversarial", "abstention")
"""Categories of questions that the conversation does not answer (LoCoMo's category 5, and BEAM's like it)."""

_WORD = re.compile(r"\w+")
_EMPTY_WORDS = frozenset(
    re.findall(
        _WORD,
        "a an and at by for from had has he her his in is it its of on or she that the their they to was were with",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTurn:
    """What the user says, `gap` seconds after the line before was said, and the reply recorded to it."""

    said: Sequence[Block]
    reply: Sequence[Block]
    gap: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something to ask at the end. `answers`: one of them must occur in a right reply, word by word.

    With `words`, the score is the share of the first answer's words that occur.
    """

    id: str
    kind: str
    question: str
    answers: tuple[str, ...]
    lines: frozenset[int]
    """indices of the lines that tell it; empty: the source does not say"""
    words: bool = False

    def score(self, reply: str) -> float:
        """How much of the answer is in `reply`, from 0 to 1."""
        if self.words:
            wanted = _words(self.answers[0])
            return len(wanted & _words(reply)) / len(wanted) if wanted else 0.0
        found = _flat(reply)
        return float(any(_flat(answer) in found for answer in self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A conversation to be played."""

    title: str
    system: str | Sequence[Block]
    lines: tuple[ScriptTurn, ...]
    probes: tuple[Probe, ...]
    tools: tuple[Block, ...] = ()
    note: str = ""
    """what a reader should know of how the source was taken"""

    @property
    def turns(self) -> int:
        """Turns that playing it records."""
        return 2 * len(self.lines)

    def shortened(self, turns: int) -> Script:
        """The first `turns` turns, and the questions that these can answer."""
        lines = self.lines[: max(1, turns // 2)]
        probes = tuple(probe for probe in self.probes if all(at < len(lines) for at in probe.lines))
        return replace(self, lines=lines, probes=probes)


def shipped() -> Script:
    """The conversation that ships with sash."""
    turns, facts = demo.load()
    lines = [
        ScriptTurn(said=[text_block(said.text)], reply=[text_block(reply.text)], gap=said.gap_s or 0.0)
        for said, reply in zip(turns[::2], turns[1::2], strict=True)
    ]
    return Script(
        title="the mill house (ships with sash)",
        system=SHIPPED_SYSTEM,
        lines=tuple(lines),
        probes=tuple(
            Probe(
                id=fact.id,
                kind=fact.kind,
                question=fact.question,
                answers=(fact.answer, *fact.also),
                lines=frozenset({fact.turn // 2}),
            )
            for fact in facts
        ),
    )


def from_file(path: str | Path, *, questions: int = 40) -> Script:
    """The first conversation of a file, with a sample of at most `questions` of its questions.

    Raises InvalidImport for a file that is no conversation.
    """
    found = formats.read(path)[0]
    turns = [turn for turn in found.turns if turn.role != "system" and _spoken(turn)]
    if not turns:
        raise InvalidImport(f"{path}: the first conversation has no turns to play", path=str(path), line=None)
    groups = list(_groups(turns))
    where = {turn.id: at for at, group in enumerate(groups) for turn in group if turn.id is not None}
    probes = [
        _probe(number, question, where) for number, question in enumerate(found.questions, 1) if _askable(question)
    ]
    return Script(
        title=f"{Path(path).name}: {found.title or found.id}",
        system=found.system or _system(found),
        lines=tuple(_lines(groups)),
        probes=_sample(probes, questions),
        tools=found.tools_called,
        note=_note(found, len(groups)),
    )


def _groups(turns: Sequence[ImportedTurn]) -> Iterator[list[ImportedTurn]]:
    """The turns of each line: a run of the user's side, and the run of the assistant's that follows."""
    group: list[ImportedTurn] = []
    for turn in turns:
        if turn.role == "user" and group and group[-1].role == "assistant":
            yield group
            group = []
        group.append(turn)
    yield group


def _lines(groups: Sequence[Sequence[ImportedTurn]]) -> Iterator[ScriptTurn]:
    yield _line(groups[0], 0.0)
    for before, group in pairwise(groups):
        yield _line(group, _gap(before[0].at, group[0].at))


def _line(group: Sequence[ImportedTurn], gap: float) -> ScriptTurn:
    sides = {role: [block for turn in run for block in _spoken(turn)] for role, run in groupby(group, lambda t: t.role)}
    return ScriptTurn(said=sides.get("user") or [text_block(OPENING)], reply=sides.get("assistant", []), gap=gap)


def _spoken(turn: ImportedTurn) -> list[Block]:
    blocks = [block for block in without_empty_text(turn.content) if block.get("type") in SPOKEN]
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _gap(before: float | None, after: float | None) -> float:
    known = before is not None and after is not None and after > before
    return after - before if known else ASSUMED_GAP  # type: ignore[operator]


def _system(found: ImportedConversation) -> str:
    speakers = {turn.role: turn.speaker for turn in found.turns if turn.speaker}
    you, they = speakers.get("assistant"), speakers.get("user")
    who = f"You are {you}, talking with {they}, whom you know well. " if you and they else ""
    return f"{who}Answer from what was said in this conversation, briefly and concretely."


def _note(found: ImportedConversation, lines: int) -> str:
    turns = f"{len(found.turns):,} turns of the file make {2 * lines:,} (turns in a row by one side are one message)"
    dated = {turn.at for turn in found.turns if turn.at is not None}
    times = f"{ASSUMED_GAP:.0f} s are assumed between lines where the file tells no time of its own"
    return turns if len(dated) == len(found.turns) else f"{turns}; {times}"


def _askable(question: Question) -> bool:
    return bool(question.answer) and question.category not in UNASKED


def _probe(number: int, question: Question, where: dict[str, int]) -> Probe:
    return Probe(
        id=f"q{number}",
        kind=question.category,
        question=question.text,
        answers=(str(question.answer),),
        lines=frozenset(where[id] for id in question.evidence if id in where),
        words=True,
    )


def _sample(probes: Sequence[Probe], most: int) -> tuple[Probe, ...]:
    """The same sample every time, in the order of the file."""
    chosen = random.Random(len(probes)).sample(range(len(probes)), min(most, len(probes)))
    return tuple(probes[at] for at in sorted(chosen))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - _EMPTY_WORDS


def _flat(text: str) -> str:
    """Lower-case, with single spaces."""
    return " ".join(text.casefold().split())
