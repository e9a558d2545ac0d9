"""Replaying: what a run adds up to, and what the economic window does over whole traces."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation
from sash.errors import InvalidImport, InvalidOption, MissingExtra
from sash.lab import read
from sash.model.cards import card
from sash.planning.situation import Decision, Marks, Situation
from sash.planning.strategies import Economic, Everything, SlidingWindow, SteppedWindow
from sash.replay import (
    NO_MARKS,
    Contender,
    Terms,
    Trace,
    TraceCall,
    compare,
    html,
    png,
    report,
    run,
    synthetic,
)
from sash.simulator import Simulator

SONNET = card("claude-sonnet-5")
TERMS = Terms(card=SONNET, keep=4_000, budget=32_000)


def steady(gap: float, count: int = 200, tokens: int = 400) -> Trace:
    """The same request again and again."""
    return Trace(f"every {gap:.0f} s", tuple(TraceCall(gap, tokens) for _ in range(count)))


@contextmanager
def cluster() -> Iterator[Executor]:
    """A scheduler and a worker of Dask on loopback, which speak over sockets."""
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(host="127.0.0.1", protocol="tcp", **settings) as workers,
        distributed.Client(workers) as client,
    ):
        yield client.get_executor()


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")), id="processes"),
        pytest.param(lambda: ThreadPoolExecutor(3), id="threads"),
        pytest.param(cluster, id="dask"),
    ],
)
def test_what_comes_out_does_not_depend_on_who_computes_it(
    pool: Callable[[], AbstractContextManager[Executor]],
) -> None:
    """Processes, threads or a cluster give the rows, their order and the progress that one process gives."""
    traces = [synthetic("office", seed, exchanges=12) for seed in range(3)]
    terms = [TERMS, replace(TERMS, keep=2_000, budget=8_000)]
    told: list[list[str]] = [[], []]
    alone = compare(traces, [Economic(), SlidingWindow()], terms, points=True, progress=told[0].append)
    with pool() as executor:
        spread = compare(
            iter(traces), [Economic(), SlidingWindow()], terms, points=True, progress=told[1].append, executor=executor
        )
    assert spread == alone
    assert told[0] == told[1] and len(told[0]) == 6


def test_an_executor_that_cannot_serve_is_named() -> None:
    """What is none, and a strategy that no other process can be given: before anything is computed."""

    class Local(SlidingWindow):
        """Known here alone."""

    with pytest.raises(InvalidOption, match=r"executor='x'.*concurrent\.futures"):
        compare([steady(30.0, 5)], [Economic()], [TERMS], executor="x")  # type: ignore[arg-type]
    with ProcessPoolExecutor(1) as pool, pytest.raises(InvalidOption, match="at the top of a module"):
        compare([steady(30.0, 5)], [Local()], [TERMS], executor=pool)


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
    assert outcome.min_verbatim >= TERMS.keep


@pytest.mark.parametrize("regime", ["fast", "chatty", "office", "mixed", "slow", "bursty", "drifting", "heavy"])
def test_the_economic_window_is_cheap(regime: str) -> None:
    """It costs less than either classic window, and within a third of the clairvoyant optimum."""
    trace = synthetic(regime, 31, exchanges=250)
    rows = compare([trace], [Economic(), SlidingWindow(), SteppedWindow()], [TERMS]).rows
    assert rows[0].ratio < 1.33
    assert rows[0].outcome.dollars < min(row.outcome.dollars for row in rows[1:])


def test_an_exchange_beyond_the_budget_is_listed() -> None:
    """It is sent alone, billed, and counted; the run goes on."""
    trace = Trace("t", (TraceCall(0, 500), TraceCall(30, 40_000), TraceCall(30, 500)))
    row = compare([trace], [Economic()], [TERMS]).rows[0]
    assert (row.oversized, row.outcome.over, row.outcome.requests) == (1, 1, 3)


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


def test_a_comparison_speaks_json() -> None:
    """One flat object per row, with the least that any policy could have paid."""
    found = json.loads(
        compare([steady(60.0, 60)], [Economic(), SlidingWindow(turns=20)], [TERMS], mixed=True).to_json()
    )
    assert [row["strategy"] for row in found] == [repr(Economic()), repr(SlidingWindow(turns=20))]
    assert {"trace", "model", "keep", "budget", "dollars", "optimum", "ratio", "hit_rate", "cuts"} <= set(found[0])
    assert all(row["dollars"] >= row["optimum"] >= row["mixed_optimum"] * (1 - 1e-9) for row in found)


def test_averages_tell_how_sure_they_are() -> None:
    """Over several traces the mean ratio has an interval; over one it has none."""
    traces = [synthetic("mixed", seed, exchanges=60) for seed in range(4)]
    several = compare(traces, [Economic()], [TERMS]).averages()[0]
    assert several.traces == 4
    assert several.error is not None
    assert several.ratio - several.error < several.worst
    assert compare(traces[:1], [Economic()], [TERMS]).averages()[0].error is None


def test_marks_are_part_of_the_label() -> None:
    """The same window with and without marks makes two rows that can be told apart."""
    marked = Contender(strategy=SlidingWindow(), marks=Marks(preamble="1h", tail="1h"))
    assert marked.label != Contender(strategy=SlidingWindow(), marks=NO_MARKS).label


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """The HTML loads nothing, escapes names, and shows each strategy; the PNG is a PNG."""
    rows = compare([Trace("<b>", steady(60.0, 40).calls)], [Economic(), Everything()], [TERMS], points=True).rows
    page = html(rows, title="a <title>")
    assert "<script" not in page
    assert "http" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<polyline") == 4
    png(rows, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The missing extra is named with its pip line."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtra, match=r"sash\[charts\]"):
        report.png([], tmp_path / "x.png")


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
