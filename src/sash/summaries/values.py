"""The values in a statement that a summary must not lose: found by rules, without a model.

Kinds: url; id (mail addresses, phone numbers, order numbers, hashes, ...); code (identifiers, paths, options); date
(days, months, times of day); number (with its unit or currency); name (capitalised words). Each character belongs to
one value at most, the more telling kinds first. What a value is worth is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sash.model.patterns import late
from sash.recall.words import SPACELESS, STOP

Kind = Literal["instruction", "url", "id", "code", "date", "number", "name"]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was written, what it is, and where it starts in its statement."""

    kind: Kind
    text: str
    start: int


def values(text: str, known: Callable[[str], bool] = lambda _: False) -> list[Value]:
    """The values of a statement, in their order.

    `known` tells whether a word (in small letters) also occurs as a common word: at the beginning of a
    statement, where every word has a capital, such a word is no name.
    """
    found, left = _ruled(text)
    return sorted((*found, *_names(left, known)), key=lambda value: value.start)


@lru_cache(maxsize=4_096)
def _ruled(text: str) -> tuple[tuple[Value, ...], str]:
    """What the rules find, whatever words are known, and the text with gaps in its place.

    Remembered: whoever plans, makes and judges a summary asks for the same statements.
    """
    found, left = [], _apart(text)
    for kind, pattern in RULES:
        for match in pattern.finditer(left):
            group = match.lastindex or 0
            start, end = match.span(group)
            value = text[start:end].rstrip(_TRAILING)
            if value and (kind != "code" or _is_code(value)):
                found.append(Value(kind, value, start))
                left = left[:start] + "\0" * (end - start) + left[end:]
    return (*found, *_own(text, left)), left


def _apart(text: str) -> str:
    """The text with signs of scripts without blanks as gaps, but for those of dates: they join no word."""
    return SPACELESS.sub(lambda run: re.sub("[^年月日]", "·", run[0]), text)


def _own(text: str, left: str) -> Iterator[Value]:
    """What is said of oneself in scripts without capitals, as far as no other rule has taken it."""
    taken = -1
    for found in sorted((one for form in OWN for one in form.finditer(text)), key=lambda one: one.start(1)):
        start, end = found.span(1)
        if start > taken and "\0" not in left[start:end] and not _capital(found[1][:1] or "a"):
            yield Value("name", found[1], start)
            taken = end


OWN = tuple(
    late(form)
    for form in (
        r"我(?:们)?(?:的[^，。！？,.!?]{1,12}?)?(?:名)?(?:叫|是|住在|在|姓|来自)([^，。！？、,.!?\sA-Za-z0-9]{1,16})",
        r"私?[^、。]{0,14}?(?:名前は|名は|は|が)([^、。！？\sA-Za-z0-9]{1,16}?)(?:です|といいます|と言います|に住んで|にあり)",
        (
            r"(?:제|내|저의|나의|우리|이름) ?[^.,!?]{0,12}?(?:은|는|이|가) ([^.,!?\sA-Za-z0-9]{1,12}?)"
            r"(?:입니다|이에요|예요|이야|야)"
        ),
        r"(?:저는|나는|전|난) ([^.,!?\sA-Za-z0-9]{1,12}?)(?:에|에서) (?:살|일)",
        r"(?:اسمي|اسمه|اسمها|أسكن في|اسكن في|أعيش في|أعمل في|\b\S{2,}ي (?:هو|هي|في)) ([^\s.،!؟0-9٠-٩]{2,20})",
        r"मेर(?:ा|ी|े) [^।,.!?]{0,30}?नाम ([^\s।,.!?]{1,20}) है",
        r"(?:मैं|हम) ([^\s।,.!?]{1,20}) में (?:रह|काम)",
        r"(?:[Мм]о(?:й|я|ё|е|и)|[Нн]аш\w*) [^.,!?—–-]{1,40}? [—–-] ([^\s.,!?]{2,30})",
    )
)
"""How people say what they and theirs are called, where they live and what something of theirs is."""

_TRAILING = ".,;:!?'\"”’)]}>*_"

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_SUFFIX = r"(?:st|nd|rd|th)?"
_UNIT = (
    r"(?:%|‰|°[CF]?|(?:[kcm]?m|k?g|mg|µg|ml|l|[kmgt]i?b|ms|[kmg]?hz|k?wh?|mph|km/?h|ft|lbs?|oz|px|dpi|percent|tokens?|"
    r"dollars|euros|pounds)\b)"
)
_FILE = (
    r"(?:py|js|tsx?|jsx|json|ya?ml|toml|md|csv|txt|sql|sh|html?|s?css|go|rs|java|rb|php|[ch]pp|xml|ini|cfg|env|log|pdf|"
    r"docx?|xlsx?|png|jpe?g|zip|tar\.gz|db|ipynb|proto|tf)"
)
_LABEL = (
    r"(?:order|ticket|case|invoice|account|acct|ref(?:erence)?|booking|reservation|policy|customer|member(?:ship)?|"
    r"client|tracking|flight|train|room|seat|gate|locker|confirmation|pin|passcode|password|code|id|serial|model|part|"
    r"sku|patient|student|employee|licen[cs]e|passport|plate|badge|issue|bug|pr|build|commit|phone|telephone|fax|"
    r"extension|ext|zip|postcode|iban|port|version|apartment|apt|suite|unit|platform|contract|permit|prescription)"
)
_NAMING = r"(?:\s+(?:number|no|nr|code|id|combination))?\.?(?:\s+(?:is|was|are|to|of|now))?\s*[:#=]?\s*"


def _rule(kind: Kind, pattern: str, *, small: bool = True) -> tuple[Kind, re.Pattern[str]]:
    return kind, late(pattern, re.I if small else 0)


RULES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    _rule("url", r"\b(?:https?|ftp|wss?|s3|git|ssh|postgres(?:ql)?|redis|mongodb)://[^\s<>\"'`]+|\bwww\.[^\s<>\"'`]+"),
    _rule("id", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    _rule("code", r"`[^`\n]{1,80}`"),
    _rule("id", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    _rule("id", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])"),
    _rule("date", rf"\b{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}(?:T[\d:.]+Z?)?\b"),
    _rule("date", rf"\b{_DAY}[/.-]{_DAY}[/.-](?:19|20)?\d\d\b"),
    _rule("date", rf"\b(?:{_DAY}{_SUFFIX}(?: of)? {_MONTH}|{_MONTH} {_DAY}{_SUFFIX}\b)(?:,? {_YEAR}\b)?"),
    _rule("date", rf"\b{_MONTH},? {_YEAR}\b|\bQ[1-4](?:,? {_YEAR})?\b"),
    _rule("date", r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"),
    _rule("date", r"\b(?:January|February|April|June|July|August|September|October|November|December)\b", small=False),
    _rule("date", r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?: ?[ap]\.?m\b)?(?![\d:])"),
    _rule("date", r"\b(?:1[0-2]|[1-9]) ?[ap]\.?m\b"),
    _rule("date", r"\d{4}年(?:\d{1,2}月(?:\d{1,2}日)?)?|\d{1,2}月\d{1,2}日"),
    _rule(
        "number", r"(?:[$€£¥₹]|\b(?:USD|EUR|GBP|CHF) ?)\d(?:[\d,.']*\d)?(?: ?(?:k|m|bn|million|billion|thousand)\b)?"
    ),
    _rule("number", rf"(?<![\w.,])\d+(?:[.,]\d+)* ?{_UNIT}(?![\w-])"),
    _rule("id", r"(?<![\w.])\+?\(?\d{1,4}\)?(?:[ -]\(?\d{2,5}\)?){2,4}(?![\w-])"),
    _rule("id", r"(?<!\w)#\w*\d[\w-]*"),
    _rule("id", r"\bv\d+(?:\.\d+)*\b|\b\d+\.\d+\.\d+[\w.-]*"),
    _rule("code", r"(?<![\w/:])(?:~|\.{1,2})?/[\w.@-]+(?:/[\w.@*{}-]+)+/?|\b[a-z]:\\[^\s\"'<>]+"),
    _rule("code", r"(?<![\w-])--[a-z][\w-]*(?:=[^\s,;]+)?"),
    _rule("code", rf"\b[\w-]+(?:\.[\w-]+)*\.{_FILE}\b"),
    _rule(
        "code", r"\b[a-z_]\w*(?:(?:\.|::|->)[a-z_]\w*)*\(\)|\b[a-z_]\w*(?:(?:::|->)\w+)+|\b[a-z]\w*(?:\.[a-z_]\w+)+\b"
    ),
    _rule(
        "code", r"\b(?:\w+(?:_\w+)+|_+[A-Za-z]\w+|[a-z]+\d*(?:[A-Z][a-z0-9]+)+|(?:[A-Z][a-z0-9]+){2,})\b", small=False
    ),
    _rule("id", rf"\b{_LABEL}{_NAMING}(\d[\d-]*\d|\d)\b"),
    _rule("id", r"(?<![\w-])(?=[\w/-]*\d)(?=[\w/-]*[A-Z])[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*(?![\w-])", small=False),
    _rule(
        "id", r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?!\d+(?:st|nd|rd|th|s|k|x)\b)[a-z0-9]{4,}(?:-[a-z0-9]+)*(?![\w-])"
    ),
    _rule("number", r"(?<![\w.,\0])[-+]?\d+(?:[.,']\d+)*(?:/\d+)?(?:st|nd|rd|th|s|k|x)?(?!\w)"),
    _rule(
        "number",
        r"\b(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
        r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|hundred|thousand|million)\b",
    ),
)
"""What is what, the more telling first: each takes what those before it have left."""


def _is_code(value: str) -> bool:
    """Abbreviations ("e.g", "U.S") and brand names of two humps are no identifiers worth a place of their own."""
    return len(value) > 3 and not re.fullmatch(r"(?:\w\.)+\w?|Mc[A-Z]\w+|Mac[A-Z]\w+", value)


_WORD = late(r"[^\W\d_][\w'’&-]*")
_JOINED = late(r"\s(?:(?:of|de|van|von|der|den|la|le|du|da|di|del|bin|al|the|for|and|&)\s){0,2}|\.\s")
_ACTS = late(
    r"['’]s\b|,? (?:who|whose)\b|"
    r" (?:is|was|are|were|has|had|will|would|can|could|said|says|told|asked|wants?|wanted|lives?|"
    r"lived|works?|worked|needs?|likes?|loves?|prefers?|called|calls|sent|gave|got|came|comes|goes|went|owns?|runs?|"
    r"starts?|moved|turns|hates|owes|agreed|offered|booked|chose|decided|recommended|thinks|just|also)\b"
)
"""What follows a name that opens a statement."""
_TITLE = late(r"(?:Dr|Mr|Mrs|Ms|Prof|St|Mt)$")
STARTERS = STOP | frozenset(
    """actually additionally almost alright although always another anyway anything apart april around ask avoid back
    based be become besides both build call certainly check choose click come congratulations consider cool create cut
    day dear decided despite different don't drop each early easy either else enjoy ensure even every everyone
    everything exactly except extra fact few final finally find first fix following friend friends fun general get
    getting give glad going gonna good gosh got great guess guys haha happy hard hear help hey high hopefully however
    huge i'd i'll i'm i've idea imagine important include including indeed instead interesting it's keep key kind last
    lastly lately later learn least less let let's life like likewise long look looking looks lots love make making
    many maybe mine moreover morning most much need never new nice nope nothing noted often oh old one ones open others
    otherwise overall part people perfect perhaps plan plus pretty previous probably put quick quite rather read ready
    really recently regarding remember right run say second see send set several similarly simply since skip sometimes
    somewhere soon sorry sounds speaking start step still stop suppose sure take taking talk tell test that's there's
    they're they've think third though thus time tip today together tomorrow tonight totally true try trying two type
    unfortunately unless use usually want watch we'd we'll we're we've welcome well whatever whenever whether within
    without wonder wonderful work worth would wow write yep yes yesterday yet you'd you'll you're you've""".split()  # noqa: SIM905 - a list of 200 strings is harder to read
)


def _names(text: str, known: Callable[[str], bool]) -> Iterator[Value]:
    """Runs of capitalised words. A word that opens the statement counts unless it is a common one."""
    words = [word for word in _WORD.finditer(text) if _capital(word[0])]
    run: list[re.Match[str]] = []
    for word in [*words, None]:
        if run and (word is None or not _joins(text[run[-1].end() : word.start()], run[-1][0])):
            yield from _name(text, run, known)
            run = []
        if word is not None:
            run.append(word)


def _capital(word: str) -> bool:
    return word[0].isupper() and word.lower() not in ("i", "i'm", "i’m", "i've", "i’ve", "i'd", "i’d", "i'll", "i’ll")


def _joins(between: str, before: str) -> bool:
    found = _JOINED.fullmatch(between)
    return bool(found) and (between[0] != "." or bool(_TITLE.search(before)))


def _name(text: str, run: list[re.Match[str]], known: Callable[[str], bool]) -> Iterator[Value]:
    if _opens(text, run[0].start()):
        while run and _common(run[0][0], known):
            run = run[1:]
        if len(run) == 1 and _opens(text, run[0].start()) and not _ACTS.match(text, run[0].end()):
            return
    if run and not (len(run) == 1 and (len(run[0][0]) < 2 or run[0][0].lower() in STOP)):
        start, end = run[0].start(), run[-1].end()
        value = re.sub(r"['’]s$", "", text[start:end])
        yield Value("name", value, start)


def _opens(text: str, start: int) -> bool:
    """Whether only signs stand before it, or a sign after which a capital means nothing."""
    before = text[:start].rstrip(" \"'“”‘’(*_[")
    return not before or before[-1] in ".!?:;…•"


def _common(word: str, known: Callable[[str], bool]) -> bool:
    small = word.lower().replace("’", "'")
    return small in STARTERS or known(small) or known(small.removesuffix("s"))
