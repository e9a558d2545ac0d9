"""What losing a statement would cost its user: an ordering, not a price.

What the user said weighs more than what the model said, and that more than a tool's output, which can be had again.
Within that, signs that somebody will ask for it again: it is about the speaker ("my", "our", "I am"), a decision,
marked as important, or says what something is ("the booking code is ..."). Values in passing weigh less: those of
questions, of examples and narration, of quoted material, and of turns that hold dozens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from sash.summaries.statements import Speaker, Statement
from sash.summaries.values import Kind, Value

BY_SPEAKER: dict[Speaker, float] = {"user": 1.0, "summary": 0.7, "assistant": 0.35, "tool": 0.25}
BY_KIND: dict[Kind, float] = {"url": 3.0, "id": 3.0, "code": 2.2, "date": 2.2, "number": 1.6, "name": 1.6}
QUOTED = 0.3
CROWD = 8
"""Values in a turn from which each of them begins to weigh less."""

ABOUT_SELF = "my our mine ours i_am i'm i’m i_was_born i_live i_work i_need we_are we're i_have i've i’ve we_have me"
DECIDED = """decided decision agreed settled chose chosen confirmed approved booked scheduled deadline due budget
    allergic allergy prefer must going_with go_with we'll_use we_will_use signed promised limit start starts expires"""
MARKED = "remember keep_in_mind note_that note important don't_forget for_the_record fyi make_a_note by_the_way"
SAYS_WHAT = "is are was be named called equals set_to stands_at"
LABELS = """number code id name address email e-mail phone date birthday anniversary deadline password pin port version
    url link key account reference order appointment meeting flight function file server branch ticket"""
IN_PASSING = "for_example for_instance e.g such_as imagine suppose let's_say hypothetically roughly approximately"

WORDS: tuple[tuple[float, str], ...] = (
    (1.5, ABOUT_SELF),
    (1.2, "you your"),
    (1.5, DECIDED),
    (1.8, MARKED),
    (1.6, SAYS_WHAT),
    (1.3, LABELS),
    (0.6, IN_PASSING),
)
"""Words that make what stands beside them more or less worth keeping, and by how much."""
SIGNS = tuple(
    (factor, re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, signs.split()))})(?!\w)".replace("_", r"\s+"), re.I))
    for factor, signs in WORDS
)
ASKED = 0.4
_QUESTION = re.compile(r"[?？]\s*$")

_WEAK_DATE = re.compile(r"\w+days?", re.I)
_BARE = re.compile(r"\d{1,2}|[a-z-]+", re.I)


def of_statement(statement: Statement, held: Sequence[Value], crowd: int) -> float:
    """The weight of a statement's values; `crowd` is how many values its whole turn holds."""
    weight = BY_SPEAKER[statement.speaker] * (QUOTED if statement.quoted else 1.0)
    for factor, sign in SIGNS:
        if sign.search(statement.text):
            weight *= factor
    if _QUESTION.search(statement.text):
        weight *= ASKED
    alone = max(1, len(held))
    spread = max(crowd if statement.seq else 0, alone)
    return weight / math.sqrt(1.0 + max(0, spread - CROWD) / CROWD)


def of_value(value: Value) -> float:
    """The weight of one value: small numbers and bare weekdays are common, and weigh less."""
    weight = BY_KIND[value.kind]
    if value.kind == "number" and _BARE.fullmatch(value.text):
        return weight / 2
    if value.kind == "date" and _WEAK_DATE.fullmatch(value.text):
        return weight / 2
    return weight
