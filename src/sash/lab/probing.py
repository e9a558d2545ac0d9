"""From recorded conversations with questions to stories: who says what when, what is asked, what it takes to answer.

Of a turn that is evidence, its key sentence must stand in the request, the one nearest to question and answer. A
question is asked at one of seven places in the last part of the conversation, behind its evidence; every other one
half a day after the last answer, when the cache is cold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import Any

from sash.demo.script import UNASKED
from sash.formats import ImportedConversation, ImportedTurn, Question
from sash.lab.living import COLD, WARM, LivedExchange, LivedQuestion, LivedStep, Story, normal
from sash.model.blocks import Block, readable
from sash.recall.packing import root
from sash.recall.words import bare, runs, telling

LAST, CHECKPOINTS = 0.3, 7
"""In the last part of a conversation, at so many places, questions are asked."""
APART = 3_600.0
"""Seconds between two sessions, in the data, at least."""
GREETING = "Hello!"
"""What the user says where the other one speaks first."""
SILENCE = "(no reply was recorded)"

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


def story(data: str, conversation: ImportedConversation, seed: int, most: int | None = None) -> Story:
    """An imported conversation and, of its questions that it can be asked, `most` (None: all), drawn by `seed`."""
    exchanges = tuple(_exchanges(conversation.turns))
    asked = [one for one in conversation.questions if one.category not in UNASKED]
    found = evidence(conversation, exchanges)
    probed = [(question, known) for question in asked if (known := found.of(question))]
    chance = Random(f"{seed}/{conversation.id}")
    chance.shuffle(probed)
    return Story(
        data=data,
        id=conversation.id,
        exchanges=exchanges,
        probes=tuple(_probes(probed[:most], len(exchanges), chance)),
        system=conversation.system,
        tools=conversation.tools_called,
    )


# ---- who says what, and when ---------------------------------------------------------------------------------


def _exchanges(turns: Sequence[ImportedTurn]) -> Iterator[LivedExchange]:
    """What one says in a row is one message; where the other one speaks first, the user greets."""
    talk = all(block.get("type") == "text" for turn in turns for block in turn.content)
    group: list[ImportedTurn] = []
    instructed: list[str] = []
    for turn in turns:
        if turn.role == "system":
            instructed.append(turn.text)
        elif _tells(turn):
            later = talk and bool(group) and (turn.at or 0.0) > (group[0].at or 0.0) + APART
            if later or (turn.plain and any(one.role == "assistant" for one in group)):
                yield _exchange(group, instructed)
                group, instructed = [], []
            group.append(turn)
    if group:
        yield _exchange(group, instructed)


def _tells(turn: ImportedTurn) -> bool:
    return any(map(_says, turn.content))


def _says(block: Block) -> bool:
    """Whether it is anything but an empty text."""
    return block.get("type") != "text" or bool(str(block.get("text")).strip())


def _exchange(group: Sequence[ImportedTurn], instructed: Sequence[str]) -> LivedExchange:
    asked = [turn for turn in group if turn.plain]
    runs: list[tuple[list[ImportedTurn], list[ImportedTurn]]] = [([], [])]
    for turn in group:
        results, answers = runs[-1]
        if turn.role == "assistant":
            answers.append(turn)
        elif not turn.plain and answers:
            runs.append(([turn], []))
        elif not turn.plain and results:
            results.append(turn)
    return LivedExchange(
        asked=_content(asked) or GREETING,
        answered=_content(runs[0][1]) or SILENCE,
        at=group[0].at,
        ids=tuple(turn.id for turn in group if turn.id),
        steps=tuple(
            LivedStep(results=_blocks(results), answered=_content(answers) or SILENCE, at=results[0].at)
            for results, answers in runs[1:]
        ),
        instructed=tuple(filter(None, instructed)),
    )


def _content(turns: Sequence[ImportedTurn]) -> str | list[Block]:
    """What these turns say, as one message: a text where they are texts."""
    blocks = _blocks(turns)
    if all(block.get("type") == "text" for block in blocks):
        return "\n".join(turn.text.strip() for turn in turns)
    return blocks


def _blocks(turns: Sequence[ImportedTurn]) -> list[Block]:
    """Without thinking, which is the recorded model's own, without markers of its cache, and without empty texts."""
    return [
        {name: value for name, value in block.items() if name not in ("cache_control", "citations")}
        for turn in turns
        for block in turn.content
        if "thinking" not in str(block.get("type")) and _says(block)
    ]


# ---- what is asked, and what it takes to answer --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What answers a question: the exchange it was last told in, and the texts that a request must hold."""

    latest: int
    wanted: tuple[str, ...]


class Evidence:
    """Where a conversation tells what: by the ids of its turns, or by their words."""

    def __init__(self, conversation: ImportedConversation, exchanges: Sequence[LivedExchange]) -> None:
        self._places = {id: number for number, exchange in enumerate(exchanges) for id in exchange.ids}
        self._texts = {turn.id: turn.text for turn in conversation.turns if turn.id}
        self._said = [normal(_said(exchange)) for exchange in exchanges]
        self._rarity = _rarity(self._texts.values())

    def of(self, question: Question) -> Known | None:
        """What answers it; None where its evidence names no turn and stands in none."""
        found = list(filter(None, (self._one(entry, question) for entry in question.evidence)))
        if not found:
            return None
        return Known(latest=max(place for place, _ in found), wanted=tuple(text for _, text in found))

    def _one(self, entry: str, question: Question) -> tuple[int, str] | None:
        """The exchange of one piece of evidence, and the text that stands for it."""
        if entry in self._places:
            about = f"{question.text} {question.answer or ''}"
            return self._places[entry], key_sentence(self._texts[entry], about, self._rarity)
        words = normal(entry)
        place = next((number for number, said in enumerate(self._said) if words and words in said), None)
        return None if place is None else (place, entry)


def evidence(conversation: ImportedConversation, exchanges: Sequence[LivedExchange] | None = None) -> Evidence:
    """Where a conversation tells what."""
    return Evidence(conversation, list(_exchanges(conversation.turns)) if exchanges is None else exchanges)


def unanswerable(name: str, conversation: ImportedConversation | None) -> str:
    """A remark where questions of a conversation itself name no turn; "" where none does so."""
    asked = [one for one in conversation.questions if one.category not in UNASKED] if conversation else []
    if conversation is None or not asked:
        return ""
    found = evidence(conversation)
    lost = [one for one in asked if found.of(one) is None]
    if not lost:
        return ""
    few = f"{len(lost)} of {len(asked)} questions are not asked"
    return f"{name}: {few}, their evidence names no turn, first {lost[0].text!r:.80}; give ids of turns, or words"


def _said(exchange: LivedExchange) -> str:
    """All the words of an exchange."""
    told = [exchange.asked, exchange.answered]
    told += [part for step in exchange.steps for part in (step.results, step.answered)]
    return "\n".join(part if isinstance(part, str) else readable(part) for part in told)


def _probes(asked: Sequence[tuple[Question, Known]], length: int, chance: Random) -> Iterator[LivedQuestion]:
    """Each question at one of the checkpoints behind its evidence, half of them warm."""
    stops = [round(length - 1 - LAST * length * at / CHECKPOINTS) for at in range(CHECKPOINTS)]
    for number, (question, known) in enumerate(asked):
        yield LivedQuestion(
            text=question.text,
            category=question.category,
            wanted=known.wanted,
            after=chance.choice([stop for stop in stops if stop >= known.latest] or [length - 1]),
            gap=COLD if number % 2 else WARM,
        )


def key_sentence(text: str, about: str, rarity: Mapping[str, float]) -> str:
    """The sentence of a text that is nearest to a question and its answer."""
    sentences = [part.strip() for part in _SENTENCE.split(text) if len(part.strip()) > 1] or [text.strip()]
    wanted = set(_stems(about))

    def nearness(sentence: str) -> tuple[float, int]:
        held = set(_stems(sentence))
        return sum(rarity.get(stem, 1.0) for stem in held & wanted) / sqrt(4 + len(held)), len(sentence)

    return max(sentences, key=nearness)


def _rarity(texts: Any) -> dict[str, float]:
    said = [set(_stems(text)) for text in texts]
    found = Counter(stem for stems in said for stem in stems)
    return {stem: log(1 + len(said) / count) for stem, count in found.items()}


def _stems(text: str) -> list[str]:
    return [*(root(bare(word)) for word in telling(text)), *(sign for run in runs(text) for sign in run)]
