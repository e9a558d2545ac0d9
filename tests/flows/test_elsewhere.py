"""Everything at once: failing models and keys, routers, tool runs, summaries, recall; the record stays legal."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest

from sash import Conversation, MemoryStore
from sash.claude.keys import Key
from sash.errors import BudgetExceeded, InvalidOption, NothingToRetry, RemoteError
from sash.simulator import HttpError, Overloaded, RateLimited, Simulator

MODELS = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "claude-haiku-5-5"]
FAULTS = [Overloaded(), RateLimited(), HttpError(status=401, message="no")]
EXPECTED = (RemoteError, NothingToRetry, BudgetExceeded, InvalidOption)


def _settings(chance: random.Random) -> dict[str, Any]:
    """A conversation's arguments, drawn by lot."""
    models = chance.sample(MODELS, len(MODELS))
    given: dict[str, Any] = {
        "model": models[0],
        "fallback": models[1:],
        "budget": chance.choice([2_500, 4_000, 8_000]),
        "system": "You keep the harbour's books. " * chance.choice([1, 40]),
        "summarise": chance.random() < 0.5,
        "recall": chance.random() < 0.5,
        "memo": chance.random() < 0.3,
        "max_tokens": 800,
    }
    if chance.random() < 0.4:
        given["keys"] = [
            Key("a", "1", organization="x"),
            Key("b", "2", organization=chance.choice(["x", "y"]), workspace="w"),
            Key("c", "3", workspace="w"),
        ]
    if chance.random() < 0.4:
        given["router"] = lambda _: chance.choice(models)
    return given


def _step(chat: Conversation, chance: random.Random, number: int) -> None:
    """One thing that people do."""

    def look(word: str) -> str:
        """Look a word up.

        Args:
            word: the word
        """
        return f"{word}: a light. " * chance.randint(1, 60)

    question = f"Where is crate {number}? " + "It was blue. " * chance.randint(1, 60)
    what = chance.choice(["say", "say", "say", "stream", "run", "retry", "regenerate", "instruct", "switch"])
    if what == "run":
        chat.run(f"Please look at lamp {number}.", tools=[look], max_steps=4)
    elif what == "stream":
        with chat.stream(question) as stream:
            stream.until_done()
    elif what == "instruct":
        chat.instruct("Be brief.")
    elif what == "switch":
        chat.send(question, model=chance.choice(MODELS))
    elif what in ("retry", "regenerate"):
        getattr(chat, what)()
    else:
        chat.send(question)


def _walk(seed: str) -> None:
    chance, sim = random.Random(seed), Simulator()
    with (
        sim.client(max_retries=0) as client,
        Conversation(MemoryStore(), client=client, clock=sim.clock.now, **_settings(chance)) as chat,
    ):
        for number in range(14):
            if chance.random() < 0.45:
                sim.faults.fail_next(chance.choice(FAULTS), times=chance.randint(1, 3))
            with contextlib.suppress(*EXPECTED):
                _step(chat, chance, number)
            sim.faults.calm()
            sim.clock.advance(chance.choice([1, 61, 301, 4_000]))
        chat._background.wait()
        assert 400 not in {attempt.status for attempt in sim.messages}
        head = chat._store.branches.head(chat._chat().conversation)
        assert all(chat.request(number).intact for number in range(1, head.requests + 1))


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_whatever_fails_the_record_is_legal(seed: str) -> None:
    """No request is refused for its form, and every one is rebuilt byte for byte."""
    _walk(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(200))
def test_whatever_fails_the_record_is_legal_at_length(number: int, search_seed: str) -> None:
    """The same, two hundred times."""
    _walk(f"{search_seed}/{number}")
