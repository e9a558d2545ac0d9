"""Scripts made from files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sash.demo.run import Player
from sash.demo.script import ASSUMED_GAP, OPENING, Probe, from_file, shipped
from sash.errors import InvalidImport
from sash.model.blocks import readable


def _talk(*sessions: tuple[str, list[tuple[str, str]]], qa: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    talk: dict[str, Any] = {"speaker_a": "Ann", "speaker_b": "Bob"}
    for number, (when, said) in enumerate(sessions, 1):
        talk[f"session_{number}_date_time"] = when
        talk[f"session_{number}"] = [
            {"speaker": who, "dia_id": f"D{number}:{at}", "text": text} for at, (who, text) in enumerate(said, 1)
        ]
    return [{"sample_id": "t", "conversation": talk, "qa": qa or []}]


def _write(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(value))
    return path


def test_runs_of_one_speaker_are_one_side_of_a_line(tmp_path: Path) -> None:
    """Turns in a row of the user's side are sent together; those of the other side are one recorded reply."""
    said = [("Ann", "One."), ("Ann", "Two."), ("Bob", "Three."), ("Bob", "Four."), ("Ann", "Five.")]
    script = from_file(_write(tmp_path, _talk(("1:00 pm on 8 May, 2023", said))))
    assert [readable(line.said) for line in script.lines] == ["One.\nTwo.", "Five."]
    assert [readable(line.reply) for line in script.lines] == ["Three.\nFour.", ""]


def test_the_other_side_may_open(tmp_path: Path) -> None:
    """A conversation that the assistant's side opens gets a user's greeting in front, and loses nothing."""
    said = [("Bob", "Hi!"), ("Ann", "Hello, Bob.")]
    script = from_file(_write(tmp_path, _talk(("1:00 pm on 8 May, 2023", said))))
    assert [readable(line.said) for line in script.lines] == [OPENING, "Hello, Bob."]
    assert readable(script.lines[0].reply) == "Hi!"


def test_gaps_come_from_the_file_where_it_tells_them(tmp_path: Path) -> None:
    """Between sessions the file's own times count; inside one, where all are the same, a minute is assumed."""
    first = [("Ann", "One."), ("Bob", "Two."), ("Ann", "Three."), ("Bob", "Four.")]
    sessions = ("1:00 pm on 8 May, 2023", first), ("3:00 pm on 8 May, 2023", [("Ann", "Five."), ("Bob", "Six.")])
    script = from_file(_write(tmp_path, _talk(*sessions)))
    assert [line.gap for line in script.lines] == [0.0, ASSUMED_GAP, 7_200.0]
    assert "60 s are assumed" in script.note


def test_questions_know_the_lines_that_answer_them(tmp_path: Path) -> None:
    """Evidence ids become lines; questions without an answer in the conversation are not asked."""
    qa = [
        {"question": "What did Ann buy?", "answer": "a red kite", "evidence": ["D1:3"], "category": 4},
        {"question": "A trap?", "adversarial_answer": "yes", "evidence": ["D1:1"], "category": 5},
    ]
    said = [("Ann", "Hi."), ("Bob", "Hi."), ("Ann", "I bought a red kite."), ("Bob", "Lovely.")]
    (probe,) = from_file(_write(tmp_path, _talk(("1:00 pm on 8 May, 2023", said), qa=qa))).probes
    assert probe.lines == {1}
    assert probe.score("You bought a kite, a red one.") == 1.0
    assert probe.score("A kite.") == 0.5
    assert probe.score("I don't know.") == 0.0


def test_the_sample_of_questions_is_always_the_same(tmp_path: Path) -> None:
    """At most `questions` are asked, the same ones every time, in the order of the file."""
    qa = [{"question": f"Number {n}?", "answer": str(n), "evidence": ["D1:1"], "category": 1} for n in range(100)]
    path = _write(tmp_path, _talk(("1:00 pm on 8 May, 2023", [("Ann", "Hi."), ("Bob", "Hi.")]), qa=qa))
    first, second = from_file(path, questions=40).probes, from_file(path, questions=40).probes
    assert first == second
    assert len(first) == 40
    numbers = [int(probe.answers[0]) for probe in first]
    assert numbers == sorted(numbers)


def test_an_exact_probe_takes_any_spelling_whole() -> None:
    """A planted fact is right when one of its spellings occurs, whatever the case and the spaces."""
    probe = Probe(id="p", kind="id", question="?", answers=("0478 20 61 93", "0478206193"), lines=frozenset())
    assert probe.score("It is 0478  20\n61 93.") == 1.0
    assert probe.score("It is 0478 20 61 94.") == 0.0


def test_shortened_asks_only_what_was_said() -> None:
    """A script cut short keeps the questions whose lines are all in it."""
    whole = shipped()
    short = whole.shortened(40)
    assert short.turns == 40
    assert 0 < len(short.probes) < len(whole.probes)
    assert all(max(probe.lines) < 20 for probe in short.probes)


def test_tool_calls_are_played(tmp_path: Path) -> None:
    """A recorded tool run is a line for each answer given to it, with the tools it needs, and no foreign thinking."""
    call = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"place": "Vaubrise"}}
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "of another model"}
    messages = [
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": [thinking, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "17 degrees"}]},
        {"role": "assistant", "content": "It is 17 degrees."},
    ]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"messages": messages}))
    player = Player(from_file(path), budget=8_000)
    assert len(list(player.play())) == 2
    kinds = [[block["type"] for block in turn.blocks] for turn in player.chat.history()]
    assert kinds == [["text"], ["tool_use"], ["tool_result"], ["text"]]


def test_a_file_without_turns_is_an_error(tmp_path: Path) -> None:
    """A conversation with nothing in it cannot be played, and the error names the file."""
    with pytest.raises(InvalidImport, match=r"talk\.json"):
        from_file(_write(tmp_path, _talk(("1:00 pm on 8 May, 2023", []))))


@pytest.mark.parametrize("name", ["locomo/locomo_a.json", "beam_100K/1", "tau_bench/gpt-4o-airline.json"])
def test_real_files_can_be_played(name: str) -> None:
    """The first lines of recorded data are sent without an illegal request, and the recorded replies come back."""
    root = os.environ.get("SASH_DATA")
    if not root or not (Path(root) / name).exists():
        pytest.skip(f"SASH_DATA has no {name}")
    script = from_file(Path(root) / name).shortened(30)
    player = Player(script, budget=8_000)
    assert len(list(player.play())) == len(script.lines)
    assert [turn.text for turn in player.chat.history()][1::2] == [readable(line.reply) for line in script.lines]
