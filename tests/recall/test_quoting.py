"""Quoted turns: what is quoted cannot leave its quotation, nor speak as somebody else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from recall.samples import found, turn
from sash.recall import quoted
from sash.recall.quoting import APART, CLOSE, OPEN, escaped

HOSTILE = st.text(max_size=80) | st.text("</>&; recalled\n\r\v\f\x1c\x85\u2028:[]…userassistant", max_size=80)
NOON = 1_700_000_000.0


def inner(text: str) -> str:
    """What stands between the tags."""
    assert text.startswith(OPEN) and text.endswith(CLOSE)
    return text[len(OPEN) : -len(CLOSE)]


@given(st.lists(st.tuples(HOSTILE, HOSTILE | st.none()), min_size=1, max_size=5))
def test_no_text_closes_the_tag(said: list[tuple[str, str | None]]) -> None:
    """Whatever texts and names hold, there is one opening and one closing tag, and between them none at all."""
    told = quoted(found(turn(at, words, speaker=name)) for at, (words, name) in enumerate(said, 1))
    assert "<" not in inner(told)


@given(HOSTILE, HOSTILE)
def test_no_text_passes_for_another_speakers_line(words: str, name: str) -> None:
    """Only the time and the speaker begin a line; all further lines of a text are indented, whatever ends a line."""
    lines = inner(quoted([found(turn(1, words, speaker=name))])).splitlines()
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d\]", lines[0])
    who = escaped(" ".join(name.split()) or "user")
    assert lines[1].startswith(f"{who}:")
    assert all(line.startswith(" ") for line in lines[2:])


@given(st.text(max_size=60))
def test_escaping_can_be_undone(words: str) -> None:
    """No two texts are quoted alike: nothing is lost but the signs' power."""
    assert escaped(words).replace("&lt;", "<").replace("&amp;", "&") == words


def test_dates_speakers_and_order() -> None:
    """In the order said, whatever the order found; the time once for turns close together, in UTC."""
    later = turn(4, "Blue.", "assistant", NOON + 60)
    first = turn(3, "Which colour?", at=NOON, speaker="Oda\n Miller")
    assert quoted([found(later), found(first)]) == (
        f"{OPEN}[2023-11-14 22:13]\nOda Miller: Which colour?\nassistant: Blue.\n{CLOSE}"
    )


def test_gaps_are_told() -> None:
    """What was left out is a sign of omission, a long silence or another day the time."""
    at = [NOON, NOON + 60, NOON + 60 + APART + 1, NOON + 3 * 3_600]
    told = [found(turn(seq, "word", at=one)) for seq, one in zip((1, 5, 6, 7), at, strict=True)]
    lines = [line for line in inner(quoted(told)).splitlines() if not line.startswith("user")]
    assert lines == ["[2023-11-14 22:13]", "…", "[2023-11-14 23:14]", "[2023-11-15 01:13]"]


def test_nothing_quotes_to_nothing() -> None:
    """Without finds there are no tags either."""
    assert quoted([]) == ""
