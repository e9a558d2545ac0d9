"""The memory benchmark as a user runs it: questions on a conversation with evidence, under each strategy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import memory

TOLD = {3: "My locker code is 7731.", 9: "The cat of Oda is named Biscuit."}


def conversation() -> list[dict[str, object]]:
    """A LoCoMo-like conversation of 80 turns with two facts at its beginning."""
    turns = [
        {
            "speaker": "Oda" if number % 2 else "Ben",
            "dia_id": f"D1:{number}",
            "text": TOLD.get(number, f"The weather of day {number} was mild, and then it rained again for hours."),
        }
        for number in range(1, 81)
    ]
    asked = [("Which locker code was named?", "7731", 3), ("What is the name of the cat?", "Biscuit", 9)]
    questions = [
        {"question": question, "answer": answer, "evidence": [f"D1:{at}"], "category": 4}
        for question, answer, at in asked
    ]
    session = {"session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": turns}
    return [{"sample_id": "x", "conversation": {"speaker_a": "Oda", "speaker_b": "Ben", **session}, "qa": questions}]


def test_recall_finds_what_a_window_of_the_budget_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the agreed keys for each strategy and category; with keywords both facts stand in the request."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(conversation()), encoding="utf-8")
    arguments = ["--data", str(path), "--budget", "700", "--keep", "200", "--recall", "200", "--json"]
    memory.main([*arguments, "--strategy", "window", "summary", "keyword"])
    rows = {(row["strategy"], row["category"]): row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {(s, c) for s in ("window", "summary", "keyword") for c in ("single-hop", "all")}
    for key in ("data", "strategy", "category", "questions", "evidence", "f1", "tokens", "dollars"):
        assert key in rows["keyword", "all"]
    assert rows["window", "all"]["evidence"] == 0.0
    assert rows["keyword", "all"]["evidence"] == 1.0 and rows["keyword", "all"]["f1"] > rows["window", "all"]["f1"]
    assert all(row["tokens"] <= 700 for row in rows.values())
