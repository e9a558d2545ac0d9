"""What a summariser is asked: the material as data with speakers and times, the form, the length."""

from __future__ import annotations

from sash.summaries import PROMPT_VERSION, ask, ask_warm
from sash.summaries.prompts import words_for

from .samples import assistant, turn, user

TITLES = ("## Standing instructions of the user", "## Facts and decisions", "## Open requests", "## Where things stand")


def test_a_model_of_its_own_reads_the_turns() -> None:
    """The previous summary, the turns with number, role and time, then the task with its length; form in the system."""
    asked = ask("Ada lives in Bath.", [user(3, "Hello."), assistant(4, "Hi.")], 4_000)
    before, turns, task = (block["text"] for block in asked.content)
    assert before == "<previous_summary>\nAda lives in Bath.\n</previous_summary>"
    assert '<turn n="3" role="user" at="2026-05-14 12:03">\nHello.\n</turn>' in turns
    assert f"at most {words_for(4_000)} words" in task
    assert all(title in asked.system for title in TITLES)


def test_without_a_previous_summary_nothing_is_said_of_one() -> None:
    """The first summary has two blocks: the turns and the task."""
    assert len(ask("", [user(1, "Hello.")], 500).content) == 2


def test_speakers_are_named() -> None:
    """A turn with a speaker's name carries it."""
    assert 'name="Ada"' in ask("", [turn(1, "user", "Hello.", speaker="Ada")], 500).content[0]["text"]


def test_the_chat_model_is_asked_in_a_turn_of_its_own() -> None:
    """One user turn: that it is no user's, up to where, the form and the length."""
    (block,) = ask_warm("earlier", user(9, "And the order?"), 1_000)
    text = block["text"]
    assert "not from the user" in text and "And the order?" in text and f"{words_for(1_000)} words" in text
    assert all(title in text for title in TITLES)
    assert "opens with a summary" in text and "opens with a summary" not in ask_warm("", user(9, "x"), 1_000)[0]["text"]


def test_the_words_asked_for_fit_the_limit() -> None:
    """The share of the limit that the model is asked for grows with it, and is never nothing."""
    assert words_for(100) >= 40 and words_for(8_000) == 2 * words_for(4_000)
    assert PROMPT_VERSION
