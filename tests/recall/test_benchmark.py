"""The memory benchmark as a user runs it: conversations lived turn by turn, evidence by text, the whole bill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import memory, stress

from sash import MemoryStore
from sash.lab.living import Life, LivedExchange, LivedQuestion, QuestionOutcome, Story, normal
from sash.lab.probing import key_sentence
from sash.recall import Recall
from sash.stores.postgres.store import PostgresStore

TOLD = {3: "My locker code is 7731. It rained.", 9: "The cat of Oda is named Biscuit."}
ITEMS: Mapping[str, Any] = json.loads(Path(stress.__file__).with_suffix(".json").read_text(encoding="utf-8"))


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


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a run over that conversation, by settings and category."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(conversation()), encoding="utf-8")
    memory.main(["--data", str(path), "--budget", "1000", "--json", *more])
    return {(row["settings"], row["category"]): row for row in json.loads(capsys.readouterr().out)}


def test_what_everything_holds_a_small_window_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Evidence is all there where everything is sent, gone where little is kept; each row has the whole bill."""
    rows = run(tmp_path, capsys, "--settings", "none", "everything", "--by-category")
    assert set(rows) == {(s, c) for s in ("none", "everything") for c in ("single-hop", "all")}
    plain, whole = rows["none", "all"], rows["everything", "all"]
    assert (plain["evidence"], whole["evidence"]) == (0.0, 1.0)
    assert plain["questions"] == 2 and plain["tokens"] <= 1_000 < whole["tokens"]
    assert whole["times"] == pytest.approx(whole["dollars"] / plain["dollars"], abs=1e-4)


def test_what_is_found_is_the_same_in_either_store(postgres_url: str) -> None:
    """The same evidence, by as many tokens, for the same dollars: by words, misspelt ones too, and by single signs."""
    said = ["The locker code is 7731.", "Oda's cat is named Biscuit.", "東京の天気は晴れです。"]
    filler = [f"The weather of day {number} was mild, and then it rained again." for number in range(16)]
    exchanges = tuple(LivedExchange(asked=text, answered="Noted. " * 9) for text in (*said, *filler))
    asked = zip(("Which loker code was it?", "Who is Biscuit?", "東京の天気は?"), said, strict=True)
    probes = tuple(LivedQuestion(text=text, category="a", wanted=(held,), after=18) for text, held in asked)
    story = Story(data="x", id="x", exchanges=exchanges, probes=probes)
    found = []
    for store in (MemoryStore(), PostgresStore(postgres_url)):
        with Life(story, 600, {"recall": Recall(tokens=200, semantic=False)}, store) as life:
            found.append((list(life.live()), life.dollars))
    assert found[0] == found[1] and [one.share for one in found[0][0]] == [1.0] * 3


def test_asking_costs_the_conversation_nothing() -> None:
    """The bill with questions is that without: what is asked is neither sent nor recorded."""
    exchanges = tuple(
        LivedExchange(asked=f"The gate number {n} opens at nine.", answered="Noted. " * 9) for n in range(30)
    )
    asked = tuple(
        LivedQuestion(text="When does gate 1 open?", category="a", wanted=("gate number 1",), after=n, gap=45.0)
        for n in (20, 25)
    )
    story = Story(data="x", id="x", exchanges=exchanges, probes=asked)
    quiet = memory.live([replace(story, probes=())], 1_000, "balanced")
    curious = memory.live([story], 1_000, "balanced")
    assert (quiet.asked, len(curious.asked)) == ((), 2)
    assert curious.dollars == quiet.dollars > 0


def test_evidence_is_the_key_sentence_as_text() -> None:
    """Of a long turn the sentence nearest to question and answer must stand in the request; the rest is no evidence."""
    text = "It rained for days. My locker code is 7731. We had soup & bread."
    assert key_sentence(text, "Which locker code? 7731", {}) == "My locker code is 7731."
    assert normal("We had\n soup &amp; bread &lt;3") == "We had soup & bread <3"


def test_a_stale_fact_alone_misleads() -> None:
    """A question is misled where what was true before stands in the request and what is true now does not."""
    exchanges = (
        LivedExchange(asked="The gate opens at nine.", answered="Noted."),
        LivedExchange(asked="The gate opens at ten now.", answered="Noted."),
    )
    probes = {
        name: LivedQuestion(
            text="When does the gate open?", category="update", wanted=wanted, stale=("at nine",), after=1
        )
        for name, wanted in {"both": ("at ten",), "stale": ("at eleven",)}.items()
    }
    story = Story(data="x", id="x", exchanges=exchanges, probes=tuple(probes.values()))
    with Life(story, 2_000, {}) as life:
        both, stale = life.live()
    assert (both.found, both.misled) == (1, False) and (stale.found, stale.misled) == (0, True)


@pytest.mark.parametrize("split", ["open", "held"])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_is_told_before_it_is_asked_for(split: str, seed: int) -> None:
    """In a story of the stress set all that a question wants was said, or found by a tool, in an exchange before it."""
    story = stress.story(split, seed)
    assert story == stress.story(split, seed)
    for probe in story.probes:
        before = [*(one for other in story.elsewhere for one in other), *story.exchanges[: probe.after + 1]]
        said = "\n".join(f"{one.asked}\n{one.answered}\n{one.result or ''}" for one in before)
        assert all(text in said for text in probe.wanted), probe
        assert not any(text in probe.text for text in probe.wanted), probe


def test_the_halves_of_the_stress_set_share_no_fact_and_no_wording() -> None:
    """Nothing that is told or asked in the open half is told or asked in the held one, and both ask for every kind."""
    said = {
        half: {text for item in ITEMS[half] for text in (*item["told"], item["asked"])} for half in ("open", "held")
    }
    assert not said["open"] & said["held"]
    kinds = [{item["kind"] for item in ITEMS[half]} for half in ("open", "held")]
    assert kinds[0] == kinds[1] and len(kinds[0]) == 21


def asked(conversation: str, share: int) -> QuestionOutcome:
    """A question of a conversation, found or not."""
    return QuestionOutcome(
        conversation=conversation, category="a", warm=True, found=share, evidence=1, misled=False, tokens=1, recalled=0
    )


def test_an_interval_holds_its_mean_and_is_a_point_where_all_agree() -> None:
    """The bootstrap's interval lies around the mean of conversations that differ; where all agree it is a point."""
    low, high = memory.interval([asked(*one) for one in zip("abcde", [0, 1, 1, 0, 1], strict=True)], 0)
    assert low < 0.6 < high
    assert memory.interval([asked(name, 1) for name in "abc"], 0) == (1.0, 1.0)
