"""What a standing statement is about, so that a later one takes the place of an earlier one.

A topic is a short key: "name", "home", "language", "my sister". Two statements of one user with the same topic do not
hold at once: the newer does. Orders and preferences without a topic are about the same where most of their telling
words are. A statement may also say that something is over ("I sold the car"): it ends what names the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sash.model.patterns import late
from sash.profile.entries import Kind
from sash.profile.forms import ENDS_FORMS, INSTRUCTED_FORMS, TOPIC_FORMS
from sash.recall.words import SPACELESS, STOP, runs, telling, words

SAME = 0.6
"""Share of common words from which a newer order is about the same as an older one, and takes its place."""

_MINE = (
    late(r"\b(?:my|our)((?: (?!is\b|are\b|was\b|were\b)[\w'’-]+){1,4}) (?:is|are|was|were|has|have)\b", re.I),
    late(r"\b(?:mein|unser)\w*((?: (?!ist\b)\w+){1,2}) (?:ist|sind|hei(?:ß|ss)t|hat)\b", re.I),
    late(r"\b(?:mon|ma|mes|notre)((?: (?!est\b)\w+){1,2}) (?:est|sont|s'appelle|a)\b", re.I),
    late(r"\b(?:mi|mis|nuestr[oa])((?: (?!es\b)\w+){1,2}) (?:es|son|se llama|est[áa]|tiene)\b", re.I),
    late(r"我的(.{1,4}?)(?:的名字)?(?:是|叫|在)"),
    late(r"私の(.{1,4}?)(?:の名前)?は"),
)
_OWNING = late(r"\b(?:I|we) have an? (?:\w+ ){0,2}?(dog|cat|horse|car|house|pet)\b(.*)", re.I)
_CALLED = late(r"\b(?:call|address) (us|him|her|them|it|my \w+)\b", re.I)
_LIKED = late(
    r"\bI (?:really |absolutely |also |don't |do not |no longer )*(?:like|love|enjoy|prefer|hate|dislike|can't stand) "
    r"((?:[\w'’-]+ ?){1,3})",
    re.I,
)

_AFTER = late(
    r"(?:an?|all|and|any|anymore|as|at|best|better|but|by|for|from|in|more|most|much|no|now|of|on|or|so|the|too?|very|"
    r"when|with)$"
)
"""Words that go on after what is liked has been named."""
_OF_A_NAME = ("s", "had", "called", "named")
"""Words behind a thing in topics that end with it: "my dog s name", "my dog had", but not "my dog walker"."""

_OF_ANY_KIND = ("name", "diet")
"""Topics that preferences and instructions have, too. Another that they mention is not what they are about: who lives
in Haarlem, allergic to nuts, stays so when moving house."""

_MANNER = """
always never from now going forward please only ever just again instead remember important note rule keep mind longer
anymore more also immer nie niemals bitte nur toujours jamais siempre nunca sempre mai altijd nooit zawsze nigdy всегда
никогда english french german spanish italian portuguese dutch polish russian arabic chinese japanese korean hindi
british american englisch deutsch französisch spanisch français anglais allemand español inglés italiano inglese
"""
_FRAME = frozenset(_MANNER.split())
"""Words that say how an instruction holds, or which of several values: two that differ in these alone are about one."""
_LANGUAGE = late("[中英法德日韩俄葡意西](?:文|语|語)|日本語|한국어|영어|일본어|중국어")


@dataclass(frozen=True, slots=True)
class Ending:
    """That something is over."""

    topic: str
    named: frozenset[str]
    """words that what ends must hold, if any: a name, a place"""

    def ends(self, topic: str, text: str) -> bool:
        """Whether an older statement of this topic no longer holds."""
        behind = topic.removeprefix(f"{self.topic} ").split(" ", 1)[0]
        beneath = topic.startswith(f"{self.topic} ") and (behind in _OF_A_NAME or behind in self.named)
        said = words(text)
        return (topic == self.topic or beneath) and all(
            name in said or (bool(SPACELESS.match(name)) and name in text) for name in self.named
        )


@lru_cache(maxsize=4_096)
def ending_of(text: str) -> Ending | None:
    """What a statement says to be over, if anything."""
    for topic, form in ENDS_FORMS.items():
        if found := form.search(text):
            what, *names = [group for group in found.groups() if group] or [""]
            if topic == "my":
                return Ending(f"my {' '.join(words(what)) or what}", _said(" ".join(names)))
            return Ending(topic, frozenset(word for word in _said(what) if word not in _LATELY))
    return None


_LATELY = STOP | {"anymore", "longer", "since", "mehr", "plus", "más"}


def _said(text: str) -> frozenset[str]:
    return frozenset([*words(text), *runs(text)])


@lru_cache(maxsize=4_096)
def topic_of(text: str, kind: Kind) -> str:
    """What a statement is about; "" where it stands for itself."""
    if kind == "instruction":
        return _first(INSTRUCTED_FORMS, text) or _of_any_kind(text) or _naming(text)
    if kind == "fact":
        over = ending_of(text)
        return over.topic if over else _first(TOPIC_FORMS, text) or _mine(text) or _owned(text)
    return _of_any_kind(text) or _mine(text) or _liked(text)


@lru_cache(maxsize=4_096)
def about(text: str) -> frozenset[str]:
    """The telling words of an order or a preference, and pairs of characters where a script has no words."""
    pairs = (run[at : at + 2] for run in runs(_LANGUAGE.sub("", text)) for at in range(max(1, len(run) - 1)))
    return frozenset(word for word in telling(text) if word not in _FRAME and not word.isdigit()) | frozenset(pairs)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two statements are about the same, by their telling words."""
    return bool(one) and len(one & other) >= SAME * len(one | other)


def _first(forms: Mapping[str, re.Pattern[str]], text: str) -> str:
    return next((topic for topic, form in forms.items() if form.search(text)), "")


def _of_any_kind(text: str) -> str:
    return _first({topic: TOPIC_FORMS[topic] for topic in _OF_ANY_KIND}, text)


def _naming(text: str) -> str:
    called = _CALLED.search(text)
    return f"name of {called[1].lower()}" if called else ""


def _mine(text: str) -> str:
    for form in _MINE:
        if mine := form.search(text):
            return f"my {' '.join(words(mine[1])) or mine[1]}"
    return ""


def _owned(text: str) -> str:
    owned = _OWNING.search(text)
    if owned is None:
        return ""
    rest = words(owned[2])
    return " ".join(["my", owned[1].lower(), *(rest if rest[:1] in (["called"], ["named"]) else ["had", *rest])])


def _liked(text: str) -> str:
    liked = _LIKED.search(text)
    if liked is None:
        return ""
    first, *rest = words(liked[1])
    return " ".join(["liking", first, *(word for word in rest[:1] if not _AFTER.match(word))])
