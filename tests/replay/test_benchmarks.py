"""The cost benchmark as a user runs it, and the economic window against the best policy without foresight."""

import json
from pathlib import Path

import pytest
from benchmarks import cost, online

from sash.replay import Trace, TraceCall, synthetic


def test_a_trace_of_ones_own_gives_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--trace --keep --budget --json` prints one object per strategy with the agreed keys."""
    path = tmp_path / "mine.jsonl"
    path.write_text(synthetic("bursty", 1, exchanges=60).dumps())
    cost.main(["--trace", str(path), "--keep", "2000", "--budget", "8000", "--model", "claude-sonnet-5", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {row["trace"] for row in rows} == {"mine"}
    for key in ("trace", "model", "strategy", "keep", "budget", "dollars", "optimum", "ratio", "hit_rate", "cuts"):
        assert key in rows[0]
    assert all(row["ratio"] >= 1 - 1e-9 for row in rows if not row["below_keep"] and not row["over_budget"])


def test_a_table_is_printed_without_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trace with an exchange above the budget is no error of the run."""
    path = tmp_path / "big.jsonl"
    path.write_text(Trace("big", (TraceCall(0, 300), TraceCall(30, 20_000), TraceCall(30, 300))).dumps())
    cost.main(["--trace", str(path), "--keep", "2000", "--budget", "8000", "--model", "claude-haiku-5-5"])
    assert "Economic()" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "named"), [('{"gap_s": -4, "tokens": 5}\n', "line 1"), ("nothing\n", "trace"), ("", "trace")]
)
def test_a_bad_trace_ends_with_its_remedy(tmp_path: Path, lines: str, named: str) -> None:
    """The benchmark exits with the error's text, no traceback."""
    path = tmp_path / "trace.jsonl"
    path.write_text(lines)
    with pytest.raises(SystemExit, match=named):
        cost.main(["--trace", str(path), "--keep", "2000", "--budget", "8000"])


def test_keep_without_budget_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The two make sense together only."""
    with pytest.raises(SystemExit):
        cost.main(["--keep", "2000"])
    assert "go together" in capsys.readouterr().err


def test_the_economic_window_is_near_the_best_that_knows_no_future() -> None:
    """On memoryless traffic it costs within 6% of the exact best policy that is told the chances."""
    for chances in ((0.6, 0.35, 0.05), (0.5, 0.1, 0.4)):
        row = online.measure(chances, 4_000, 16_000, "claude-sonnet-5", range(3))
        assert row["economic_over_best"] < 1.06
        assert row["best_over_clairvoyant"] > 1.0
