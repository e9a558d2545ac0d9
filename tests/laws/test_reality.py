"""Recorded tool histories (SASH_DATA), lived through again on the simulator: no request is refused.

See `benchmarks.reality`, which prints the whole table.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.reality import BUDGET, SOURCES, STRATEGIES, histories, replay

from sash import Conversation, check_request
from sash.formats import ImportedConversation
from sash.planning.situation import Strategy
from sash.simulator import Simulator

DATA = Path(os.environ.get("SASH_DATA", "/nowhere"))
pytestmark = pytest.mark.skipif(not (DATA / "tau_bench").is_dir(), reason="SASH_DATA is not set")

SAMPLE = {"tau-bench": 40, "swe-agent": 1, "transcripts": 4}
"""One history of so many, each under another strategy."""
TIGHT = {"tau-bench": 6_000, "swe-agent": 8_000, "transcripts": BUDGET}
"""Budgets in tokens for which something has to leave."""
MODELS = ("claude-sonnet-5-5", "claude-opus-4-6")
"""One that binds thinking to its prefix, one that does not."""


def lived(history: ImportedConversation, strategy: Strategy, source: str, model: str, budget: int) -> None:
    """Live it through, and hold what must hold."""
    outcome = replay(history, strategy, source=source, model=model, budget=budget)
    assert outcome.requests > 0
    assert outcome.refused == 0, outcome
    # A bound holds at its coverage, and the simulator's tokens are not those of the estimator.
    assert outcome.over <= max(1, outcome.requests // 50), outcome


@pytest.mark.parametrize("source", SOURCES)
def test_a_sample_of_recorded_histories_passes(source: str) -> None:
    """At 30,000 tokens and at a budget that hurts, each history under one of the strategies."""
    for number, history in enumerate(histories(DATA, source)[:: SAMPLE[source]]):
        strategy, model = STRATEGIES[number % len(STRATEGIES)], MODELS[number % 2]
        lived(history, strategy, source, model, BUDGET)
        if TIGHT[source] < BUDGET:
            lived(history, strategy, source, model, TIGHT[source])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("model", MODELS)
def test_an_imported_history_goes_on_within_the_budget(source: str, model: str) -> None:
    """Recorded as a whole and asked one more question: what is sent is legal, within the budget, and served."""
    for number, history in enumerate(histories(DATA, source)[:: SAMPLE[source]]):
        sim = Simulator()
        with (
            sim.client(max_retries=0) as client,
            Conversation(
                None, model=model, system=history.system or None, tools=history.tools_called or None, budget=BUDGET,
                strategy=STRATEGIES[number % len(STRATEGIES)], client=client, clock=sim.clock.now,
            ) as chat,
        ):  # fmt: skip
            chat.extend({"role": turn.role, "content": turn.content} for turn in history.turns)
            reply = chat.send("And where do we stand?")
            assert reply.usage.prompt <= BUDGET
            assert [attempt.status for attempt in sim.messages] == [200]
            assert check_request(sim.messages[0].body) == []


@pytest.mark.nightly
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
@pytest.mark.parametrize("model", MODELS)
def test_every_recorded_history_passes(source: str, strategy: Strategy, model: str) -> None:
    """All of them, under every strategy but the yardstick."""
    for history in histories(DATA, source):
        lived(history, strategy, source, model, TIGHT[source])
        lived(history, strategy, source, model, BUDGET)
