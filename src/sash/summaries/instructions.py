"""Standing instructions: how a user says what holds for the rest of the conversation.

The documented forms, in a user's own words (not in code, quotations or tags, not in a tool's result):

- "Always ...", "Never ...", also after "please", "you must", "make sure to", "when I ask for X, always ..."
- "From now on ...", "Going forward ...", "In future ...", "For the rest of ...", "By default ...", "At all times ..."
- "Whenever I ...", "Every time I ...", "When I ask for ..., <verb> ..."
- "Don't ..." / "Do not ...", "Stop ...ing", "Avoid ...", "No emojis, please.", "Under no circumstances ..."
- "Only use ...", "Keep your answers ...", "Answer in ...", "Use metric units", "Stick to ..."
- "Call me ...", "Refer to it as ..."
- "I want you to always ...", "I'd like you to keep ...", "I prefer short answers", "My preference is ..."
- "Remember that ...", "Keep in mind ...", "Don't forget ...", "Important: ...", "Note: ..."
- "Rule: ...", "Instructions: ..."; and every item of a list whose head is one of these or speaks of rules
- "All amounts must be in euros", "No answer may exceed ...", "unless I say otherwise"
- "I'm vegetarian", "I'm allergic to ...", "I don't eat ...", "..., so don't suggest ..."; "You can use ... again"
- the same in German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Arabic, Hindi, Chinese, Japanese and
  Korean for always, never, from now on, "call me", "answer in ..." and what the user does not eat or bear

A question is none, unless it asks "can you always ...". Narration ("I always walk", "it never came") is none.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sash.model.patterns import late, stands_in
from sash.summaries.forms import FORMS
from sash.summaries.statements import Statement

_HEAD = late(
    r"\b(?:rules?|instructions?|guidelines?|preferences?|constraints?|requirements? for your|always|never|from now on|"
    r"going forward|remember|keep in mind|please (?:follow|stick)|do not|don['’]?t)\b",
    re.I,
)
_ASKED = late(r"[?？]\s*$")
_STANDING = late(
    r"\b(?:can|could|would|will) you(?: please)? (?:always|never|only|stop|keep|call me|remember|avoid)\b|"
    r"\bfrom now on\b|\bgoing forward\b|\bin future\b",
    re.I,
)
_NARRATED = late(
    r"^(?:I|we|he|she|they|it)\b(?!\s*(?:['’]?(?:d|m|ve)\b|would|want|need|prefer|like|expect|insist|really|am|have|do|"
    r"don|only|never|can|eat))",
    re.I,
)


def instructs(statement: Statement) -> bool:
    """Whether a statement is a standing instruction of the user's own."""
    if statement.speaker != "user" or statement.quoted:
        return False
    if statement.listed and statement.head and _HEAD.search(statement.head):
        return True
    return says_to(statement.own)


@lru_cache(maxsize=4_096)
def says_to(text: str) -> bool:
    """Whether a sentence has one of the documented forms. Sentences are asked about again at each cut."""
    plain = text.strip().strip("\"'“”‘’*_ ")
    if _ASKED.search(plain) and not _STANDING.search(plain):
        return False
    if _NARRATED.match(plain) and "," not in plain and not _STANDING.search(plain):
        return False
    return bool(_ASKED.search(plain)) or stands_in(plain, FORMS)
