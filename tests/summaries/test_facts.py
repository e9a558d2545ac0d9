"""Facts: which values are found, who said them, what they weigh, and how they come back from a summary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.summaries import facts_of
from sash.summaries.layout import SummaryLine, SummaryParts, parse
from sash.summaries.statements import sentences
from sash.summaries.values import values

from .samples import assistant, turn, user

FOUND = (
    ("My order number is 1138 and it never came.", {"id": "1138"}),
    ("Ticket QX-77-2231 is open.", {"id": "QX-77-2231"}),
    ("Mail ada@example.org instead.", {"id": "ada@example.org"}),
    ("Her phone is +44 20 7946 0018.", {"id": "+44 20 7946 0018"}),
    ("The staging server is https://stage.example.com/a?b=1&c=2.", {"url": "https://stage.example.com/a?b=1&c=2"}),
    ("It is due on 14 March 2027.", {"date": "14 March 2027"}),
    ("It is due on 2027-03-14.", {"date": "2027-03-14"}),
    ("We meet at 9:30.", {"date": "9:30"}),
    ("The rent is $1,250.", {"number": "$1,250"}),
    ("It weighs 71.5 kg.", {"number": "71.5 kg"}),
    ("The bug sits in reconcile_ledger.", {"code": "reconcile_ledger"}),
    ("It is built by OrderService.", {"code": "OrderService"}),
    ("Look at billing.py.", {"code": "billing.py"}),
    ("The landlord is Tobias Wrenfield.", {"name": "Tobias Wrenfield"}),
    ("My cardiologist is Dr. Ines Okafor.", {"name": "Dr. Ines Okafor"}),
    ("Priya is my manager.", {"name": "Priya"}),
    ("会议在2027年3月14日。", {"date": "2027年3月14日"}),
)


@pytest.mark.parametrize(("text", "found"), FOUND)
def test_values_are_found(text: str, found: dict[str, str]) -> None:
    """Each kind of value is found as it was written, once."""
    assert {value.kind: value.text for value in values(text)} == found


@given(st.text(max_size=300))
def test_values_do_not_overlap(text: str) -> None:
    """Whatever the text: values stand in it where they say, in order, none inside another."""
    end = 0
    for value in values(text):
        assert value.start >= end and text.startswith(value.text, value.start)
        end = value.start + len(value.text)


def test_sentences_end_where_they_end() -> None:
    """Titles, initials and abbreviations end no sentence."""
    text = "Dr. Okafor called J. Smith at 5 p.m. yesterday. It was no. 7. Fine!"
    assert list(sentences(text)) == ["Dr. Okafor called J. Smith at 5 p.m. yesterday.", "It was no. 7.", "Fine!"]


def worth(*turns: object, value: str) -> float:
    """What losing a value would cost."""
    return max(fact.worth for fact in facts_of(turns) if fact.text == value)  # type: ignore[arg-type]


def test_what_the_user_said_weighs_more() -> None:
    """The same sentence weighs most from the user, less from the model, least from a tool."""
    text = "The order number is QX-1138."
    result = {"type": "tool_result", "tool_use_id": "t", "content": text}
    by_user, by_model = worth(user(1, text), value="QX-1138"), worth(assistant(1, text), value="QX-1138")
    assert by_user > by_model > worth(turn(1, "user", result), value="QX-1138")


def test_values_in_passing_weigh_less() -> None:
    """In a question, an example, code, a crowd or a series, a value weighs less than where it is stated."""
    stated = worth(user(1, "The deposit is $4,321."), value="$4,321")
    crowd = "The deposit is $4,321. " + " ".join(f"Row {n} held {n * 7919} units." for n in range(2, 60))
    series = [user(n, f"The deposit is ${4_320 + n:,}.") for n in range(1, 20)]
    for weaker in (
        worth(user(1, "Is the deposit $4,321?"), value="$4,321"),
        worth(user(1, "For example, the deposit is $4,321."), value="$4,321"),
        worth(user(1, "> The deposit is $4,321."), value="$4,321"),
        worth(user(1, crowd), value="$4,321"),
        worth(*series, value="$4,321"),
    ):
        assert weaker < stated


def test_days_are_kept_where_words_need_them() -> None:
    """A statement that speaks of tomorrow is quoted with the day it was said."""
    (fact,) = facts_of([user(1, "I see Dr. Okafor tomorrow.")])
    assert str(fact.line) == "- (1, 2026-05-14) I see Dr. Okafor tomorrow."


def test_binary_data_is_no_fact() -> None:
    """A long run without blanks is left out; a long address is not."""
    address = "https://example.org/" + "a" * 500
    assert [fact.text for fact in facts_of([user(1, f"Look: {'QUJD' * 200} and {address}")])] == [address]


LINES = st.builds(
    SummaryLine,
    text=st.text("abc 12:#*-()", max_size=30).map(lambda text: f"a{text}".strip()),
    seq=st.integers(0, 999),
    on=st.sampled_from(["", "2026-05-14"]),
)


@given(st.lists(LINES), st.lists(LINES), st.lists(st.sampled_from(["user", "assistant", "tool", "summary"])))
def test_summaries_are_read_as_they_were_written(
    orders: list[SummaryLine], kept: list[SummaryLine], who: list[str]
) -> None:
    """Instructions and quotations come back with turn, day and speaker."""
    said = [
        SummaryLine(text=" ".join(line.text.split()), seq=line.seq, on=line.on, speaker=speaker)  # type: ignore[arg-type]
        for line, speaker in zip(kept, who, strict=False)
    ]
    own = [SummaryLine(text=" ".join(line.text.split()), seq=line.seq, on=line.on) for line in orders]
    read = parse(str(SummaryParts(instructions=tuple(own), kept=tuple(said))))
    assert list(read.instructions) == own
    assert sorted(map(repr, read.kept)) == sorted(map(repr, said))
