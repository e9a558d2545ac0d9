"""Which of a user's statements hold beyond the conversation: instructions, preferences and facts of themselves.

Rules, no model: a statement counts by its form, in English, German, French, Spanish, Chinese and Japanese. Only the
user's own words count (no code, quotation or tag), and no question. What is missed stays in the record, and recall
finds it there; what is found wrongly can be removed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from sash.model.patterns import late, stands_in
from sash.model.turns import Turn
from sash.profile.entries import LONGEST, Kind, Learned
from sash.profile.forms import INSTRUCTED_FORMS, KIND_FORMS, PREFERENCES, TOPIC_FORMS
from sash.profile.topics import ending_of, topic_of
from sash.summaries.instructions import instructs
from sash.summaries.statements import Statement, statements

_SHORTEST = 3
"""Characters of a statement; Chinese says a lot in a few."""

_JOINT = late(
    r"(?:[,;]\s+|\s+)(?:and|but|und|aber|et|mais|y|pero)\s+|"
    r"[,;，；、]\s*(?=(?:I|we|my|our|ich|mein\w*|je|mon|ma|mi)\b|j'|我|私)",
    re.I,
)
"""What joins two statements in one sentence."""


def learned(turns: Sequence[Turn]) -> list[tuple[Learned, Turn]]:
    """What the user said in these turns, of whatever conversations, that holds beyond them, in order."""
    return [
        (Learned(kind=kind, text=one.text, topic=topic_of(one.own, kind)), turn)
        for turn in turns
        if turn.role == "user"
        for sentence in statements([turn])
        for one in claims(sentence)
        if (kind := kind_of(one)) is not None
    ]


def claims(sentence: Statement) -> list[Statement]:
    """A sentence in parts, where each says something that holds: one may end without the other. Else the sentence."""
    if sentence.own != sentence.text:  # what joins the parts may stand in a quotation
        return [sentence]
    parts = [replace(sentence, text=part) for part in _JOINT.split(sentence.text)]
    return parts if all(map(kind_of, parts)) else [sentence]


@lru_cache(maxsize=256)
def kind_of(statement: Statement) -> Kind | None:
    """What a statement is; None for what does not hold beyond the moment, and for other people's words."""
    text = statement.own
    if statement.speaker != "user" or not _SHORTEST <= len(text) <= len(statement.text) <= LONGEST:
        return None
    likes = prefers(statement)
    if instructs(statement) and (_says_how(text) or not (likes or _only_noted(text))):
        return "instruction"
    if KIND_FORMS["asked"].search(text) or KIND_FORMS["supposed"].search(text):
        return None
    if likes:
        return "preference"
    return "fact" if _tells(text) else None


def prefers(statement: Statement) -> bool:
    """Whether the user says what he likes, bears or cannot bear."""
    own = statement.own
    return statement.speaker == "user" and not _ASKED.search(own) and stands_in(own, PREFERENCES)


_ASKED = late(r"[?？؟]\s*$")
_FACTS = ("home", "employer", "job", "marriage", "how many")
"""Topics of which every statement tells a fact."""


def _tells(text: str) -> bool:
    """Whether it is a fact of the user's own, or that one is over."""
    held = any(TOPIC_FORMS[topic].search(text) for topic in _FACTS)
    return held or bool(KIND_FORMS["fact"].search(text)) or ending_of(text) is not None


def _says_how(text: str) -> bool:
    """Whether it tells how to answer: in which language, at what length, ..."""
    return any(form.search(text) for form in INSTRUCTED_FORMS.values())


def _only_noted(text: str) -> bool:
    """Whether it is something to be remembered ("Note: ..."), and not how to answer."""
    return bool(KIND_FORMS["noted"].search(text)) and not KIND_FORMS["lasting"].search(text)
