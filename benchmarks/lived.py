"""A conversation lived turn by turn through the public API, and what a request still holds when something is asked.

`Life` sends every exchange of a `Story` on the simulator, at the story's own dates, and gets the story's own replies
back. `Life.ask` plans a question without recording it, some seconds ahead of the conversation's clock, and looks for
what was wanted in the text of the body. Dollars are the simulator's bill. Nothing here knows a strategy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import Any

from sash import Conversation, MemoryStore
from sash.formats import ImportedConversation, ImportedTurn, Question
from sash.model.blocks import readable
from sash.recall.packing import root
from sash.recall.words import bare, runs, telling
from sash.simulator import Clock, Simulator
from sash.stores import Store

MODEL = "claude-sonnet-5-5"
REPLY = 8_192
USER = "ann"
PACE = 60.0
"""Seconds from an answer to the next question, where the data tells no other."""
WARM, COLD = 45.0, 86_400.0
"""Seconds from the last answer to a question: the cache is alive, or gone."""
LAST, CHECKPOINTS = 0.3, 7
"""In the last part of a conversation, at so many places, questions are asked."""
APART = 3_600.0
"""Seconds between two sessions, in the data, at least."""
GREETING = "Hello!"
"""What the user says where the other one speaks first."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is said, and what is answered; with `result`, Claude first calls `look_up` and is told it."""

    asked: str
    answered: str
    at: float | None = None
    ids: tuple[str, ...] = ()
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question, when it is asked, and the texts that a request must hold to answer it."""

    text: str
    category: str
    wanted: tuple[str, ...]
    stale: tuple[str, ...] = ()
    """what was true before: alone, it misleads"""
    after: int
    """index of the exchange behind which it is asked"""
    gap: float = WARM


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A conversation to live, and the questions to ask on the way."""

    data: str
    id: str
    exchanges: tuple[Exchange, ...]
    probes: tuple[Probe, ...]
    elsewhere: tuple[tuple[Exchange, ...], ...] = ()
    """other conversations of the same user, which come before"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of one question."""

    conversation: str
    category: str
    warm: bool
    found: int
    evidence: int
    misled: bool
    """only what was true before stands in the request"""
    tokens: int
    """of the request"""
    recalled: int
    """of these, what was attached to the question"""

    @property
    def share(self) -> float:
        """Of the evidence that stands in the request."""
        return self.found / self.evidence


class Life:
    """A conversation with settings of its own, from its first exchange on, in a store of its own that it closes."""

    def __init__(self, story: Story, budget: int, settings: Mapping[str, Any], store: Store | None = None) -> None:
        self._story = story
        first = next(iter((*story.elsewhere, story.exchanges)))[0]
        self._simulator = Simulator(clock=Clock(start=first.at or 1.7e9))
        self._simulator.script(self._reply)
        self._ahead = 0.0
        self._said: Exchange | None = None
        self._store, self._settings = store or MemoryStore(), {**settings, "budget": budget}
        self._chat = self._open(story.id)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *error: object) -> None:
        self._chat.close()
        self._store.close()

    def _open(self, id: str) -> Conversation:
        return Conversation(
            self._store,
            id=id,
            user=USER if self._story.elsewhere else None,
            model=MODEL,
            max_tokens=REPLY,
            client=self._simulator.client(),
            clock=lambda: self._simulator.clock.now() + self._ahead,
            **self._settings,
        )

    @property
    def dollars(self) -> float:
        """The simulator's bill so far: all requests of the conversation, summaries included."""
        return self._simulator.cost

    def live(self) -> Iterator[Asked]:
        """The whole conversation, behind the user's other ones; yields what its questions come to on the way."""
        for number, exchanges in enumerate(self._story.elsewhere, 1):
            with self._open(f"{self._story.id}, earlier {number}") as other:
                for exchange in exchanges:
                    self._say(other, exchange)
        probes: dict[int, list[Probe]] = {}
        for probe in self._story.probes:
            probes.setdefault(probe.after, []).append(probe)
        for number, exchange in enumerate(self._story.exchanges):
            self._say(self._chat, exchange)
            for probe in probes.get(number, ()):
                yield self.ask(probe)

    def ask(self, probe: Probe) -> Asked:
        """Plan a question, write nothing, and look at the body."""
        self._ahead = probe.gap
        plan = self._chat.plan(probe.text)
        self._ahead = 0.0
        held = normal(_held(plan.body, probe.text))
        found = sum(normal(text) in held for text in probe.wanted)
        return Asked(
            conversation=self._story.id,
            category=probe.category,
            warm=probe.gap == WARM,
            found=found,
            evidence=len(probe.wanted),
            misled=not found and any(normal(text) in held for text in probe.stale),
            tokens=plan.prompt.tokens,
            recalled=plan.attachment.tokens if plan.attachment else 0,
        )

    def _say(self, chat: Conversation, exchange: Exchange) -> None:
        clock = self._simulator.clock
        clock.advance(max(PACE, (exchange.at or 0.0) - clock.now()) if self._said else 0.0)
        self._said = exchange
        if exchange.result is None:
            chat.send(exchange.asked)
        else:
            chat.run(exchange.asked, tools=[_look_up(exchange.result)], max_steps=3)
        chat.wait_for_background()

    def _reply(self, body: Mapping[str, Any]) -> Any:
        """The story's reply to what was just said; to a request for a summary the simulator's own."""
        said, newest = self._said, body["messages"][-1]["content"]
        if said is None:
            return None
        if any(block["type"] == "tool_result" for block in newest if isinstance(block, dict)):
            return said.answered
        if not readable(newest).endswith(said.asked):
            return None
        if said.result is not None:
            return [{"type": "tool_use", "name": "look_up", "input": {"what": said.asked}}]
        return said.answered


def _look_up(result: str) -> Any:
    def look_up(what: str) -> str:  # noqa: ARG001 - a tool's parameters are its schema
        """Look something up in the shop's own books.

        Args:
            what: what is looked for
        """
        return result

    return look_up


def _held(body: Mapping[str, Any], question: str) -> str:
    """All that a body tells, the question itself apart."""
    texts = [readable(message["content"]) for message in body["messages"]]
    texts[-1] = texts[-1].removesuffix(question)
    return "\n".join(texts)


def normal(text: str) -> str:
    """A text without what quoting may change in it: escapes, line ends, runs of blanks."""
    return " ".join(text.replace("&lt;", "<").replace("&amp;", "&").split())


# ---- from conversations with questions ---------------------------------------------------------------------


def story(data: str, conversation: ImportedConversation, seed: int, most: int | None = None) -> Story:
    """An imported conversation and, of its questions that name turns, `most` (None: all), drawn by `seed`."""
    exchanges = tuple(_exchanges(conversation.turns))
    places = {id: number for number, exchange in enumerate(exchanges) for id in exchange.ids}
    texts = {turn.id: turn.text for turn in conversation.turns if turn.id}
    rarity = _rarity(texts.values())
    asked = [one for one in conversation.questions if one.category != "adversarial" and set(one.evidence) & set(places)]
    chance = Random(f"{seed}/{conversation.id}")
    chance.shuffle(asked)
    return Story(
        data=data,
        id=conversation.id,
        exchanges=exchanges,
        probes=tuple(_probes(asked[:most], places, texts, rarity, len(exchanges), chance)),
    )


def _exchanges(turns: Sequence[ImportedTurn]) -> Iterator[Exchange]:
    """What one says in a row is one message; where the other one speaks first, the user greets."""
    asked: list[ImportedTurn] = []
    answered: list[ImportedTurn] = []
    for turn in (turn for turn in turns if turn.text.strip()):
        later = bool(asked) and (turn.at or 0.0) > (asked[0].at or 0.0) + APART
        if later or (turn.role == "user" and answered):
            yield _exchange(asked, answered)
            asked, answered = [], []
        (asked if turn.role == "user" else answered).append(turn)
    if asked or answered:
        yield _exchange(asked, answered)


def _exchange(asked: Sequence[ImportedTurn], answered: Sequence[ImportedTurn]) -> Exchange:
    said = [*asked, *answered]
    return Exchange(
        asked="\n".join(turn.text.strip() for turn in asked) or GREETING,
        answered="\n".join(turn.text.strip() for turn in answered) or "I see.",
        at=said[0].at,
        ids=tuple(turn.id for turn in said if turn.id),
    )


def _probes(
    asked: Sequence[Question],
    places: Mapping[str, int],
    texts: Mapping[str, str],
    rarity: Mapping[str, float],
    length: int,
    chance: Random,
) -> Iterator[Probe]:
    """Each question at one of the checkpoints behind its evidence, half of them warm."""
    stops = [round(length - 1 - LAST * length * at / CHECKPOINTS) for at in range(CHECKPOINTS)]
    for number, question in enumerate(asked):
        known = [id for id in question.evidence if id in places]
        latest = max(places[id] for id in known)
        yield Probe(
            text=question.text,
            category=question.category,
            wanted=tuple(key_sentence(texts[id], f"{question.text} {question.answer or ''}", rarity) for id in known),
            after=chance.choice([stop for stop in stops if stop >= latest] or [length - 1]),
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
