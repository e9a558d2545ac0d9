"""The benchmark of agents as a user runs it, on a history whose last call needs what its first result told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import agents


def history() -> list[dict[str, Any]]:
    """A run of look-ups, the last of them for an order that only the first one named."""

    def call(n: int, what: str) -> list[dict[str, Any]]:
        function = {"name": "look_up", "arguments": json.dumps({"what": what})}
        told = "The order is ZX-90210. " if n == 0 else ""
        return [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": f"c{n}", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": f"c{n}", "name": "look_up", "content": told + "The tide comes in. " * 120},
        ]

    calls = [message for n in range(9) for message in call(n, f"page {n} of the book")]
    return [
        {"role": "system", "content": "You look things up."},
        {"role": "user", "content": "Please find my order."},
        *calls,
        *call(9, "ZX-90210"),
        {"role": "assistant", "content": "Found it."},
    ]


def measured(folder: Path, capsys: pytest.CaptureFixture[str], *further: str) -> dict[str, dict[str, Any]]:
    """The rows by strategy."""
    (folder / "tau_bench").mkdir(exist_ok=True)
    (folder / "tau_bench" / "runs.json").write_text(json.dumps([{"task_id": 1, "trial": 0, "traj": history()}]))
    agents.main([str(folder), "--source", "tau-bench", "--keep", "1000", "--budget", "4000", "--json", *further])
    return {row["strategy"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_value_is_verbatim_a_handle_or_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole histories hold all that is needed; where the API cleared the result, its call still says how to read it."""
    found = measured(tmp_path, capsys)
    whole, served = found[agents.EVERYTHING], found[agents.SERVED]
    assert (whole["needs"], whole["verbatim"], whole["fetches"]) == (1, 1.0, 0)
    assert (served["verbatim"], served["handle"], served["fetches"]) == (0.0, 1.0, 1)
    assert all(row["refused"] == 0 for row in found.values())
    assert all(row["verbatim"] + row["handle"] + row["missing"] == pytest.approx(1) for row in found.values())


def test_fetches_are_paid_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dearer a fetch, the further from the optimum is who has to make one."""
    cheap, dear = (
        measured(tmp_path, capsys, "--strategy", "API", "--refetch", price)[agents.SERVED] for price in ("0", "50000")
    )
    assert cheap["dollars"] == dear["dollars"]
    assert cheap["starts"] == dear["starts"]
    assert cheap["clearing"] < dear["clearing"]


def test_a_session_stays_in_its_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name alone decides; the other half is without it."""
    mine = agents.half_of("1/0")
    other = next(half for half in agents.HALVES if half != mine)
    assert {agents.half_of(str(n)) for n in range(20)} == set(agents.HALVES)
    assert set(measured(tmp_path, capsys, "--strategy", "Everything", "--half", mine)) == {
        agents.EVERYTHING,
        agents.SERVED,
    }
    assert measured(tmp_path, capsys, "--half", other) == {}
