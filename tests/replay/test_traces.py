"""Bare traces: what is read, what is refused, and that made-up traffic can be repeated."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidImport, InvalidOption
from sash.replay import Trace, TraceCall, TraceResult, from_times, load, loads, regimes, synthetic

results = st.builds(
    TraceResult, st.integers(1, 50), st.sampled_from(("", "read", "größer")), arguments=st.integers(0, 50)
)
calls = st.builds(
    TraceCall,
    st.floats(0, 1e6).map(lambda gap: round(gap, 2)),
    st.integers(200, 10**6),
    st.booleans(),
    st.lists(results, max_size=2).map(tuple),
)


def test_exchange_is_true_when_absent() -> None:
    """A line without `exchange` begins one."""
    assert loads('{"gap_s": 41.0, "tokens": 350}').calls == (TraceCall(41.0, 350, True),)


@given(st.lists(calls, min_size=1, max_size=8))
def test_dumps_and_loads_are_inverse(given_calls: list[TraceCall]) -> None:
    """What is written as JSON lines is read back equal, results and their uses too."""
    last = (len(given_calls) - 1,)
    used = [replace(call, results=tuple(replace(one, needed=last) for one in call.results)) for call in given_calls]
    trace = Trace("t", tuple(used))
    assert loads(trace.dumps(), name="t") == trace


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"gap_s": -1, "tokens": 5}', "runs backwards"),
        ('{"gap_s": 1, "tokens": 0}', "at least one token"),
        ('{"gap_s": 1, "tokens": 2.5}', "whole number"),
        ('{"gap_s": "x", "tokens": 5}', "not a number"),
        ('{"gap_s": NaN, "tokens": 5}', "not a number"),
        ('{"gap_s": 1}', "tokens missing"),
        ('{"gap_s": 1, "tokens": 5, "exchange": 1}', "use true"),
        ('{"gap_s": 1, "tokens": 5, "results": 4}', "list of objects"),
        ('{"gap_s": 1, "tokens": 5, "results": [{}]}', "result's tokens is None"),
        ('{"gap_s": 1, "tokens": 5, "results": [{"tokens": 2, "needed": "x"}]}', "indices of requests"),
        ('{"gap_s": 1, "tokens": 5, "results": [{"tokens": 2, "tool": 3}]}', "give its name"),
        ('{"gap_s": 1, "tokens": 5, "results": [{"tokens": 2, "arguments": -3}]}', "from 0 on"),
        ('{"gap_s": 1, "tokens": 5, "results": [{"tokens": 2, "arguments": 4}]}', "results are part of it"),
        ("[1, 2]", "not an object"),
        ('{"gap_s": 1, "tok', "not JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(line: str, named: str) -> None:
    """Errors name the line (blank lines count) and say what to write instead."""
    with pytest.raises(InvalidImport, match=named) as caught:
        loads(f'{{"gap_s": 0, "tokens": 5}}\n\n{line}\n', name="mine")
    assert caught.value.line == 3
    assert "mine, line 3" in str(caught.value)


@pytest.mark.parametrize("needed", [-1, 0, 9])
def test_a_result_is_needed_by_a_request_that_has_it(needed: int) -> None:
    """Neither before it came nor behind the last request: the message says what may be given."""
    line = f'{{"gap_s": 1, "tokens": 5, "results": [{{"tokens": 2, "needed": [{needed}]}}]}}'
    with pytest.raises(InvalidImport, match=rf"needed at request {needed}: give one from 1 to 1"):
        loads(f'{{"gap_s": 0, "tokens": 5}}\n{line}\n', name="mine")


def test_made_up_tool_runs_tell_of_their_results() -> None:
    """Each request inside a run brings a result, and some are used later."""
    trace = synthetic("tools", 3, exchanges=60)
    assert all(bool(call.results) != call.exchange for call in trace.calls)
    assert any(at > i + 5 for i, call in enumerate(trace.calls) for one in call.results for at in one.needed)


def test_an_empty_trace_is_refused() -> None:
    """There is nothing to replay in a file without requests."""
    with pytest.raises(InvalidImport, match="no request"):
        loads("\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 name the file."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidImport, match=r"x\.jsonl"):
        load(path)


def test_times_that_run_backwards_are_named() -> None:
    """Rows in the wrong order name the row, as sorting them in silence would invent a history."""
    with pytest.raises(InvalidImport, match="line 3"):
        from_times([(100.0, 5, True), (200.0, 5, True), (150.0, 5, True)], name="t")


def test_times_become_gaps_from_start_to_start() -> None:
    """The first gap is 0, the others are differences."""
    trace = from_times([(100.0, 5, True), (130.0, 6, False)], name="t")
    assert [(c.gap_s, c.exchange) for c in trace.calls] == [(0.0, True), (30.0, False)]


@pytest.mark.parametrize("regime", regimes())
def test_equal_seeds_make_equal_traffic(regime: str) -> None:
    """A seed names one trace for ever, and another seed another."""
    assert synthetic(regime, 7, exchanges=30) == synthetic(regime, 7, exchanges=30)
    assert synthetic(regime, 7, exchanges=30).calls != synthetic(regime, 8, exchanges=30).calls
    assert len(synthetic(regime, 7, exchanges=30).opens) == 30


def test_an_unknown_regime_names_the_known_ones() -> None:
    """The message lists what there is."""
    with pytest.raises(InvalidOption, match="chatty"):
        synthetic("chaty", 1)


def test_oversized_exchanges_are_listed() -> None:
    """An exchange is measured with its tool run."""
    trace = Trace("t", (TraceCall(0, 50), TraceCall(1, 60, False), TraceCall(1, 90)))
    assert trace.oversized(100) == (0,)
