"""What a standing statement is about, so that a later one takes the place of an earlier one.

A topic is a short key: "name", "home", "language", "my sister". Two statements of one user with the same topic do not
hold at once: the newer does. A statement without a topic stands beside all others.
"""

from __future__ import annotations

import re

from sash.profile.entries import Kind
from sash.profile.forms import INSTRUCTED_FORMS, TOPIC_FORMS
from sash.recall.words import words

_MINE = re.compile(r"\b(?:my|our)((?: (?!is\b|are\b|was\b|were\b)[\w'’-]+){1,4}) (?:is|are|was|were|has|have)\b", re.I)
_LIKED = re.compile(
    r"\bI (?:really |absolutely |also |don't |do not |no longer )*(?:like|love|enjoy|prefer|hate|dislike|can't stand) "
    r"((?:[\w'’-]+ ?){1,3})",
    re.I,
)

_AFTER = re.compile(
    r"(?:an?|all|and|any|anymore|as|at|best|better|but|by|for|from|in|more|most|much|no|now|of|on|or|so|the|too?|very|"
    r"when|with)$"
)
"""Words that go on after what is liked has been named."""


_OF_ANY_KIND = ("name", "diet")
"""Topics that preferences and instructions have, too. Another that they mention is not what they are about: who lives
in Haarlem, allergic to nuts, stays so when moving house."""


def topic_of(text: str, kind: Kind) -> str:
    """What a statement is about; "" where it stands for itself."""
    instruction = kind == "instruction"
    own = INSTRUCTED_FORMS if instruction else {}
    shared = TOPIC_FORMS if kind == "fact" else {topic: TOPIC_FORMS[topic] for topic in _OF_ANY_KIND}
    for topic, form in {**own, **shared}.items():
        if form.search(text):
            return topic
    if not instruction and (mine := _MINE.search(text)):
        return "my " + " ".join(words(mine[1]))
    if not instruction and (liked := _LIKED.search(text)):
        first, *rest = words(liked[1])
        return " ".join(["liking", first, *(word for word in rest[:1] if not _AFTER.match(word))])
    return ""
