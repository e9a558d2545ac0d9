"""A comparison: its rows are the engine's, who fails fails alone, and every way out tells the same."""

from __future__ import annotations

import csv
import inspect
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from children import context
from lab.conversations import small
from sash import Conversation, Economic, Everything, MemoryStore, Recall, SlidingWindow, Summarised, card, lab
from sash.errors import InvalidOption, MissingExtra, UnknownModel
from sash.lab.contenders import TAKEN
from sash.planning.situation import Decision, Marks, Situation, Strategy
from sash.replay import NO_MARKS, Terms, Trace, TraceCall, optimum, run

SONNET = "claude-sonnet-5-5"
FEW: dict[str, Any] = {"budgets": 400, "models": SONNET}


@dataclass(frozen=True)
class Fails:
    """Goes well for some time."""

    after: int
    wrongly: Any = None

    def decide(self, situation: Situation) -> Any:
        """The newest exchange alone, and then nonsense, or nothing at all."""
        if situation.newest < self.after:
            return Decision(first_exchange=0, rule="slide", reason="")
        return self.wrongly or 1 // 0


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


def test_rows_are_what_the_engine_bills() -> None:
    """For every trace, model, budget and strategy, in that order; a quarter of the budget is kept."""
    traces = [lab.synthetic(regime, seed=seed, exchanges=30) for regime, seed in (("mixed", 1), ("tools", 2))]
    models, budgets = [SONNET, "claude-haiku-5-5"], [4_000, 8_000]
    rivals: list[Strategy] = [Economic(), SlidingWindow()]
    rows = iter(lab.compare(traces, rivals, models, budgets).rows)
    for trace in traces:
        for model in models:
            for budget in budgets:
                terms = Terms(card=card(model), keep=budget // 4, budget=budget)
                least = optimum(trace, terms.card, keep=terms.keep, budget=budget)
                for strategy in rivals:
                    row = next(rows)
                    assert row.outcome == run(trace, strategy, terms, points=True)
                    named = (row.trace, row.model, row.budget, row.strategy)
                    assert named == (trace.name, model, budget, repr(strategy))
                    assert row.dollars and row.ratio == pytest.approx(row.dollars / least)
    assert next(rows, None) is None


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(lambda: ProcessPoolExecutor(2, mp_context=context()), id="processes"),
        pytest.param(lambda: ThreadPoolExecutor(3), id="threads"),
        pytest.param(cluster, id="dask"),
    ],
)
def test_what_comes_out_does_not_depend_on_who_computes_it(
    pool: Callable[[], AbstractContextManager[Executor]],
) -> None:
    """Processes, threads or a cluster give the rows, their order and the progress that one process gives."""
    traces = [lab.synthetic("office", seed=seed, exchanges=12) for seed in range(3)]
    told: list[list[str]] = [[], []]
    alone = lab.compare(traces, [Economic(), SlidingWindow()], budgets=[32_000, 8_000], progress=told[0].append)
    with pool() as executor:
        spread = lab.compare(
            iter(traces), [Economic(), SlidingWindow()], budgets=[32_000, 8_000], progress=told[1].append,
            executor=executor,
        )  # fmt: skip
    assert spread == alone
    assert told[0] == told[1] and len(told[0]) == len(alone.rows) == 12


@pytest.mark.parametrize("conversation", [False, True], ids=["by sizes", "lived"])
def test_who_fails_fails_alone(conversation: bool) -> None:
    """A strategy that raises, or answers nonsense, has a row that says so; the others' are what they are without it."""
    given = small(exchanges=7) if conversation else lab.synthetic("chatty", seed=3, exchanges=20)
    wrong = [Fails(3), Fails(3, wrongly="nonsense"), Fails(3, wrongly=Decision(first_exchange=99, rule="", reason=""))]
    alone = lab.compare(given, [SlidingWindow(), Everything()], **FEW)
    found = lab.compare(given, [SlidingWindow(), *wrong, Everything()], **FEW)
    assert [found.rows[0], found.rows[-1]] == list(alone.rows)
    raised, nonsense, beyond = (row.error for row in found.rows[1:-1])
    assert re.search(r"ZeroDivisionError: .*test_comparing\.py, line \d+", raised)
    assert "must return a Decision" in nonsense and "chose exchange 99" in beyond
    assert found.best() == alone.best() and found.averages()[-1].failed == 1
    page = found.html()
    assert "failed" in page and "ZeroDivisionError" in page


def test_every_way_out_tells_the_same() -> None:
    """JSON, CSV and the data frame have the same columns and values: what any row knows, dollars among them."""
    pandas = pytest.importorskip("pandas")
    found = lab.compare(small(), [Economic(), Fails(2)], **FEW)
    records = json.loads(found.to_json())
    frame, sheet = found.to_pandas(), list(csv.DictReader(io.StringIO(found.to_csv())))
    assert list(frame.columns) == list(records[0]) == list(sheet[0])
    assert {"dollars", "ratio", "evidence", "evidence_single_hop", "evidence_names", "error"} <= set(records[0])
    assert not {"mixed_optimum", "without_foresight"} & set(records[0])
    for number, record in enumerate(records):
        for name, value in record.items():
            shown = frame.loc[number, name]
            assert (value is None and pandas.isna(shown)) or value == shown
            assert sheet[number][name] == ("" if value is None else str(value))


def test_the_best_is_the_cheapest_that_holds_enough() -> None:
    """Of those at or above the evidence asked for none is cheaper; where none is, the one that holds most is named."""
    found = lab.compare(small(), [Economic(), Everything(), "balanced"], **FEW)
    held = {one.strategy: one.evidence.mean for one in found.averages() if one.evidence and one.dollars}
    assert held[repr(Everything())] == held["memory='balanced'"] == 1.0 and held[repr(Economic())] == 0.0
    for evidence in (0.0, 0.5, 1.0):
        enough = [one for one in found.averages() if one.evidence and one.evidence.mean >= evidence]
        assert found.best(evidence) == min(enough, key=lambda one: one.dollars.mean if one.dollars else 0.0)
    forgetful = lab.Comparison(rows=found.rows[:1])
    with pytest.raises(InvalidOption, match=r"none holds 90%.*Economic\(\) holds most, 0\.0%"):
        forgetful.best(evidence=0.9)
    with pytest.raises(InvalidOption, match="nothing was asked"):
        lab.compare(lab.synthetic("fast", exchanges=5), Economic()).best(evidence=0.9)


def test_a_conversation_lived_costs_what_its_sizes_say() -> None:
    """Sent whole it reads and writes what the engine bills for its exact trace; asking changes nothing of that."""
    (lived,) = lab.compare(small(), Everything(), **FEW).rows
    quiet = lab.compare(small(questions=False), [Everything(), {"summarise": True}], **FEW).rows[0]
    assert lived.outcome == quiet.outcome and lived.outcome is not None and lived.bounds == quiet.bounds
    assert lived.ratio and lived.replies and lived.evidence == 1.0 and not quiet.asked
    points = lived.outcome.points
    calls = [TraceCall(b.at - a.at, b.prompt - a.prompt) for a, b in pairwise(points)]
    trace = Trace("same", (TraceCall(0, points[0].prompt), *calls))
    billed = run(trace, Everything(), Terms(card=card(SONNET), keep=100, budget=400))
    assert (billed.usage.prompt, billed.cuts) == (lived.outcome.usage.prompt, lived.outcome.cuts)
    assert billed.dollars == pytest.approx(lived.outcome.dollars, rel=0.05)


def test_what_remembers_is_a_row_like_the_windows() -> None:
    """Recall, summaries, memory modes and any settings of a conversation, each with a label of its own."""
    rivals = [Recall(tokens=50), Summarised(inner=SlidingWindow()), "lean", {"recall": True, "keep": 100}]
    found = lab.compare(small(exchanges=6, questions=False), rivals, **FEW, keep=80)
    assert len({row.strategy for row in found.rows}) == 4 and not any(row.error for row in found.rows)
    assert [row.keep for row in found.rows] == [80] * 3 + [100]
    assert "Recall(tokens=50)" in found.rows[0].strategy


def test_what_a_row_may_set_is_an_argument_of_a_conversation() -> None:
    """And nothing else is offered."""
    assert set(inspect.signature(Conversation.__init__).parameters) >= TAKEN


def test_a_store_and_a_conversation_are_traces() -> None:
    """Each conversation of a store; what asks nothing is a remark."""
    store = MemoryStore()
    for name in ("one", "two"):
        with Conversation(store, id=name, client="simulator") as chat:
            chat.send("Hello!")
            if name == "one":
                assert [row.trace for row in lab.compare(chat, Economic()).rows] == ["one"]
    Conversation(store, id="empty", client="simulator").close()
    found = lab.compare([store, lab.synthetic("fast", exchanges=3)], Economic())
    assert [row.trace for row in found.rows] == ["two", "one", "fast/0"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"traces": []}, "nothing to replay"),
        ({"traces": 7}, "is no recording"),
        ({"strategies": []}, "at least one"),
        ({"strategies": ["ballanced"]}, "balanced"),
        ({"strategies": [SlidingWindow]}, "is a class"),
        ({"strategies": [{"colour": 1}]}, "colour"),
        ({"budgets": 0}, "budgets"),
        ({"budgets": 1_000, "keep": 2_000}, "keep"),
        ({"preamble": 40_000}, "preamble"),
        ({"strategies": ["lean"], "preamble": 100}, "leave it out"),
        ({"executor": "x"}, r"concurrent\.futures"),
        (
            {"executor": ProcessPoolExecutor(1), "strategies": [type("Local", (SlidingWindow,), {})()]},
            "top of a module",
        ),
        ({"questions": 5}, "a file, or a list"),
        ({"jobs": -1}, "jobs=-1.*1 or more"),
        ({"jobs": "4"}, "jobs='4'.*1 or more"),
        ({"most_questions": -1}, "most_questions=-1.*0 or more"),
    ],
)
def test_what_cannot_be_compared_is_named(given: dict[str, Any], named: str) -> None:
    """Before anything runs, with what to give instead."""
    with pytest.raises(InvalidOption, match=named):
        lab.compare(**{"traces": lab.synthetic("fast", exchanges=3), **given})


def test_a_model_without_prices_is_named() -> None:
    """Before anything runs, with the remedy; with prices of one's own it is compared."""
    with pytest.raises(UnknownModel, match=r"gpt-9.*prices"):
        lab.compare(lab.synthetic("fast", exchanges=3), models=["gpt-9"])
    priced = type(card("gpt-9"))(
        **{name: getattr(card(SONNET), name) for name in card(SONNET).__slots__} | {"id": "gpt-9"}
    )
    assert lab.compare(small(exchanges=3), "lean", priced, 1_000).rows[0].model == "gpt-9"


def test_intervals_hold_their_means_and_rest_on_the_seed() -> None:
    """Over several traces; of a single one nothing can be said."""
    traces = [lab.synthetic("mixed", seed=seed, exchanges=40) for seed in range(4)]
    found = lab.compare(traces, [Economic(), SlidingWindow()], seed=3)
    assert found.averages() == lab.compare(traces, [Economic(), SlidingWindow()], seed=3).averages()
    for one in found.averages():
        for estimate in (one.dollars, one.ratio):
            assert estimate and estimate.between and estimate.between.low < estimate.mean < estimate.between.high
        assert one.worst and one.ratio and one.ratio.mean < one.worst
    (single,) = lab.compare(traces[:1], Economic()).averages()
    assert single.ratio and single.ratio.between is None


def test_traffic_with_a_law_is_held_against_the_best_without_foresight() -> None:
    """Which lies above the optimum with foresight; other traffic has none."""
    found = lab.compare([lab.synthetic(name, exchanges=60) for name in ("memoryless", "office")], Economic())
    known, unknown = (row.bounds for row in found.rows)
    assert known and unknown and unknown.expected is None
    assert known.expected and found.rows[0].expected_ratio and "without_foresight" in found.to_json()
    assert "without foresight" in found._repr_html_()


def test_marks_are_part_of_the_label() -> None:
    """The same window with and without marks makes two rows that can be told apart."""
    marked = lab.Contender(strategy=SlidingWindow(), marks=Marks(preamble="1h", tail="1h"))
    assert marked.label != lab.Contender(strategy=SlidingWindow(), marks=NO_MARKS).label


def test_it_shows_itself() -> None:
    """As a piece of a notebook and as a page that loads nothing, names escaped, a table and charts; as a figure."""
    plt = pytest.importorskip("matplotlib.pyplot")
    found = lab.compare(small("<b>"), [Economic(), Everything()], **FEW)
    for shown in (found._repr_html_(), found.html(title="a <title>")):
        assert "<b>" not in shown and not re.search(r'<script|<link|(src|href)="|https?:', shown)
        assert shown.count("<polyline") == 4 and shown.count("<circle") == 2 and "single hop" in shown
    assert "a &lt;title&gt;" in found.html(title="a <title>")
    assert [len(axis.lines) for axis in found.plot().axes[1:]] == [2, 2] and plt.get_fignums() == []
    with pytest.raises(InvalidOption, match="there are <b>"):
        found.plot(trace="nothing")
    with pytest.raises(InvalidOption, match="nothing to draw"):
        lab.compare(lab.synthetic("fast", exchanges=3), Economic(), points=False).plot()


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With their pip line."""
    found = lab.compare(lab.synthetic("fast", exchanges=3), Economic())
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"sash\[charts\]"):
        found.plot()
    with pytest.raises(MissingExtra, match=r"sash\[frames\]"):
        found.to_pandas()
