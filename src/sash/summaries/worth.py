"""What losing a statement would cost its user: an ordering, not a price.

What the user said weighs more than what the model said, and that more than a tool's output, which can be had again.
Within that, signs that somebody will ask for it again: it is about the speaker ("my", "our", "I am"), a decision,
marked as important, or says what something is ("the booking code is ..."). Values in passing weigh less: those of
questions and tries (they have been answered), of examples, of quoted material, of turns that hold dozens, and of a
series: the same said again and again with other values, like a log.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sash.model.patterns import late
from sash.summaries.statements import Speaker, Statement
from sash.summaries.values import Kind, Value

BY_SPEAKER: dict[Speaker, float] = {"user": 1.0, "summary": 0.7, "assistant": 0.35, "tool": 0.25}
BY_KIND: dict[Kind, float] = {"url": 3.0, "id": 3.0, "code": 2.5, "date": 2.2, "number": 1.6, "name": 2.2}
QUOTED = 0.3

ABOUT_SELF = "my our mine ours i_am i'm i’m i_was_born i_live i_work i_need we_are we're i_have i've i’ve we_have me"
DECIDED = """decided decision agreed settled chose chosen confirmed approved booked scheduled deadline due budget
    allergic allergy prefer must going_with go_with we'll_use we_will_use signed promised limit start starts end ends
    expires"""
MARKED = "remember keep_in_mind note_that note important don't_forget for_the_record fyi make_a_note by_the_way"
SAYS_WHAT = "is are was be named called equals set_to stands_at live lives located"
LABELS = """number code id name address email e-mail phone date birthday anniversary deadline password pin port version
    url link key account reference order appointment meeting flight function file server branch ticket"""
AT_WORK = """i'm_trying i’m_trying i_am_trying i_was_trying can_you could_you how_can_i how_do_i not_sure help_me
    make_sure wondering having_trouble struggling came_across"""
IN_PASSING = "for_example for_instance e.g such_as imagine suppose let's_say hypothetically roughly approximately"

ELSEWHERE_SELF = (
    r"我|私|僕|俺|저는|나는|(?<!\w)(?:제|내|우리)(?!\w)|(?<!\w)(?:мо[йяёеию]|моего|моей|моих|у меня|меня зовут|наш\w*|"
    r"я|mein\w*|unser\w*|ich|mon|ma|mes|notre|je|mi|mis|mio|mia|nuestr\w+|meu|minha|mijn|ons|mój|moja|moje|nasz\w*|"
    r"عندي|لدي|أسكن|أعيش|\w{2,}ي (?:هو|هي|اسمه|اسمها)|اسمي|मेरा|मेरी|मेरे|मैं|हमारा)(?!\w)|(?:मेर(?:ा|ी|े)|मैं) "
)
ELSEWHERE_SAYS = r"[是叫姓]|です|といいます|に住|입니다|이에요|예요|에 살|зовут|[а-яё] — [а-яё]|اسم| هو | هي | है"
ELSEWHERE_MARKED = (
    r"记住|重要|別忘|别忘|覚えて|기억|중요|запомни|важно|не забудь|تذكر|مهم|याद रख|merk dir|wichtig|важно"
)
"""The same in other languages: about the speaker, says what something is, marked."""

WORDS: tuple[tuple[float, str], ...] = (
    (1.5, ABOUT_SELF),
    (1.2, "i we"),
    (1.2, "you your"),
    (1.5, DECIDED),
    (1.8, MARKED),
    (1.6, SAYS_WHAT),
    (1.3, LABELS),
    (0.5, AT_WORK),
    (0.6, IN_PASSING),
)
"""Words that make what stands beside them more or less worth keeping, and by how much."""

ANNOUNCED = 0.4
EXCLAIMED = 0.6

SIGNS: tuple[tuple[float, re.Pattern[str]], ...] = (
    *(
        (factor, late(rf"(?<!\w)(?:{'|'.join(map(re.escape, signs.split()))})(?!\w)".replace("_", r"\s+"), re.I))
        for factor, signs in WORDS
    ),
    (1.5, late(ELSEWHERE_SELF, re.I)),
    (1.6, late(ELSEWHERE_SAYS)),
    (1.8, late(ELSEWHERE_MARKED, re.I)),
    (ANNOUNCED, late(r"[?？؟:：]\W*$")),  # asked, or only said to come
    (EXCLAIMED, late(r"[!！]\W*$")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a statement stands among."""

    crowd: int = 1
    """values that its whole turn holds, in what is quoted or in what is not, as the statement itself"""
    series: int = 1
    """statements that are the same but for their values, itself included"""


CROWD = 8
"""Values in a turn from which each of them begins to weigh less."""


def of_statement(statement: Statement, held: Sequence[Value], setting: Surroundings) -> float:
    """The weight of a statement's values."""
    weight = BY_SPEAKER[statement.speaker] * (QUOTED if statement.quoted else 1.0)
    for factor, sign in SIGNS:
        if sign.search(statement.text):
            weight *= factor
    spread = max(setting.crowd if statement.seq else 0, len(held))
    crowded = 1.0 + max(0, spread - CROWD) / CROWD
    return weight / math.sqrt(crowded * setting.series)


_DIGIT = late(r"\d")
_COMMON_DATE = late(r"\w+days?|(?:19|20)\d\d", re.I)


def of_value(value: Value) -> float:
    """The weight of one value: the more exact it is, the less can it be guessed."""
    weight = BY_KIND[value.kind]
    if value.kind == "number":
        with_unit = not value.text[-1:].isdigit()
        return weight * min(1.5, 0.4 + 0.3 * len(_DIGIT.findall(value.text)) + 0.2 * with_unit)
    if value.kind == "date" and _COMMON_DATE.fullmatch(value.text):
        return weight / 2
    if value.kind == "name" and " " not in value.text:
        return weight * 0.6
    return weight
