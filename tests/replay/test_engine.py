"""Replaying: what a run adds up to, and what the economic window does over whole traces."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation
from sash.errors import InvalidImport, InvalidOption
from sash.lab import compare, read
from sash.model.cards import card
from sash.planning.situation import Decision, Situation
from sash.planning.strategies import Economic, Everything, SlidingWindow, SteppedWindow
from sash.replay import NO_MARKS, Terms, Trace, TraceCall, run, synthetic
from sash.simulator import Simulator

SONNET = card("claude-sonnet-5")
TERMS = Terms(card=SONNET, keep=4_000, budget=32_000)


def steady(gap: float, count: int = 200, tokens: int = 400) -> Trace:
    """The same request again and again."""
    return Trace(f"every {gap:.0f} s", tuple(TraceCall(gap, tokens) for _ in range(count)))


def test_without_marks_every_token_is_fresh() -> None:
    """Nothing is cached that no marker asked for."""
    outcome = run(steady(30.0, 10), Everything(), replace(TERMS, marks=NO_MARKS))
    assert outcome.usage.fresh == sum(400 * n for n in range(1, 11))
    assert outcome.dollars == pytest.approx(outcome.usage.fresh * 2e-6)


def test_a_growing_view_reads_what_it_wrote() -> None:
    """With one mark on the tail each request writes its own tokens and reads the rest."""
    outcome = run(steady(30.0, 10, tokens=1200), Everything(), TERMS)
    assert outcome.usage.write == 12_000
    assert outcome.usage.read == sum(1200 * n for n in range(1, 10))


@pytest.mark.parametrize(
    ("gap", "lifetime"), [(30.0, "write_5m"), (1500.0, "write_1h"), (20_000.0, "fresh")], ids=["quick", "slow", "rare"]
)
def test_the_mark_follows_the_pace(gap: float, lifetime: str) -> None:
    """Minutes apart five minutes are enough, half hours apart an hour pays, beyond that nothing is written."""
    usage = run(steady(gap), Economic(), TERMS).usage
    paid = {"write_5m": usage.write_5m, "write_1h": usage.write_1h, "fresh": usage.fresh}
    assert paid[lifetime] > 0.8 * sum(paid.values())


@pytest.mark.parametrize("regime", ["chatty", "mixed", "bursty", "heavy"])
def test_the_economic_window_keeps_the_promise(regime: str) -> None:
    """Over whole traces keep stays verbatim and the budget is never passed."""
    outcome = run(synthetic(regime, 5, exchanges=150), Economic(), TERMS)
    assert (outcome.broken, outcome.over) == (0, 0)
    assert outcome.min_verbatim is not None and outcome.min_verbatim >= TERMS.keep


@pytest.mark.parametrize("regime", ["fast", "chatty", "office", "mixed", "slow", "bursty", "drifting", "heavy"])
def test_the_economic_window_is_cheap(regime: str) -> None:
    """It costs less than either classic window, and within a third of the clairvoyant optimum."""
    trace = synthetic(regime, 31, exchanges=250)
    frame = compare(trace, [Economic(), SlidingWindow(), SteppedWindow()], SONNET, keep=4_000).records()
    assert frame[0]["ratio"] < 1.33
    assert frame[0]["dollars"] < min(row["dollars"] for row in frame[1:])


def test_an_exchange_beyond_the_budget_is_listed() -> None:
    """It is sent alone, billed, and counted; the run goes on."""
    trace = Trace("t", (TraceCall(0, 500), TraceCall(30, 40_000), TraceCall(30, 500)))
    row = compare(trace, Economic(), SONNET, keep=4_000).rows[0]
    assert row.bounds and row.outcome
    assert (row.bounds.oversized, row.outcome.over, row.outcome.requests) == (1, 1, 3)


def test_requests_inside_a_tool_run_are_open() -> None:
    """A strategy sees `open` on every request that begins no exchange, and only there."""
    seen = []

    @dataclass(frozen=True)
    class Watching:
        def decide(self, situation: Situation) -> Decision:
            seen.append((situation.exchanges[-1].open, situation.exchanges[-1].requests, len(situation.exchanges)))
            return Decision(first_exchange=0, rule="stay", reason="")

    run(
        Trace("t", (TraceCall(0, 5), TraceCall(1, 5, False), TraceCall(1, 5, False), TraceCall(1, 5))),
        Watching(),
        TERMS,
    )
    assert seen == [(False, 1, 1), (True, 2, 1), (True, 3, 1), (False, 1, 2)]


@dataclass(frozen=True)
class Wild:
    """Answers what it was given."""

    answer: Any

    def decide(self, _: Situation) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [None, 0, *(Decision(first_exchange=at, rule="stay", reason="") for at in (1, -1, "0"))],  # type: ignore[arg-type]
)
def test_what_is_no_decision_is_refused(answer: Any) -> None:
    """Of a replay and of a conversation alike: the strategy is named, and nothing is sent."""
    with pytest.raises(InvalidOption, match=r"Wild.*must return"):
        run(steady(1.0, 1), Wild(answer), TERMS)
    simulator = Simulator()
    with Conversation(client=simulator.client(), strategy=Wild(answer)) as chat:
        with pytest.raises(InvalidOption, match=r"Wild.*must return"):
            chat.send("Hello!")
        assert not simulator.log and not chat.history()


@pytest.mark.parametrize("changes", [{"keep": 0}, {"keep": 40_000}, {"preamble": 32_000}, {"preamble": -1}])
def test_terms_that_cannot_be_kept_are_refused(changes: dict[str, Any]) -> None:
    """keep must leave room below the budget, and so must the preamble."""
    with pytest.raises(InvalidOption):
        replace(TERMS, **changes)


def test_the_preamble_is_read_over_a_cut() -> None:
    """A cut while warm rewrites the view but not the preamble."""
    trace = steady(30.0, 120)
    points = run(trace, SteppedWindow(high=20_000), replace(TERMS, preamble=2_000), points=True).points
    cuts = [point for point in points if point.cut]
    assert cuts
    assert {point.read for point in cuts} == {2_000}


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    """Neither a bare trace nor a conversation: the error is that of an import."""
    path = tmp_path / "x.jsonl"
    path.write_text("hello\n")
    with pytest.raises(InvalidImport):
        read(path)


def test_a_bare_trace_is_read_from_a_file(tmp_path: Path) -> None:
    """Its name is the file's."""
    path = tmp_path / "mine.jsonl"
    path.write_text(steady(5.0, 3).dumps())
    (trace,) = read(path).traces()
    assert (trace.name, len(trace.calls)) == ("mine", 3)
