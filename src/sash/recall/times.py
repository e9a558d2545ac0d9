"""Times that a question names, as spans of seconds: "last Friday", "vor zwei Tagen", "le 27 juin", "三日前".

English, German, French, Spanish, Chinese and Japanese, without being told which: every language's forms are tried.
What lies ahead is not meant: a weekday, a day or a month without a year is the last one there was. Days begin at
midnight of the time zone given. Vague times are wide: "two weeks ago" is a week around that day. It knows no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cache

from sash.recall.time_words import LANGUAGES, Language

AFTERWARDS = 7 * 86_400.0
"""Seconds after a date in which what happened then is still spoken of."""
MARGIN = {"day": 0, "week": 3, "month": 10, "year": 45}
"""Days to each side of so many of a unit ago."""
LENGTH = {"day": 1, "week": 7, "month": 30, "year": 365}
FIRST_YEAR = 1970

_ISO = re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<m>\d\d)-(?P<day>\d\d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time that was named."""

    since: float
    before: float
    """seconds since the epoch; the span ends before it"""
    said: str
    """the words that name it"""
    relative: bool
    """told from now: the words tell nothing else"""


def spans(text: str, now: float, zone: tzinfo) -> tuple[Span, ...]:
    """The times that `text` names, asked at `now` by somebody in `zone`; those that lie ahead are left out."""
    today, low = datetime.fromtimestamp(now, zone).date(), text.lower()
    named = [(match, form) for form in _forms() for match in form.pattern.finditer(low)]
    named.sort(key=lambda one: one[0].start() - one[0].end())  # "Friday" of "last Friday" names no time of its own
    taken, found = list[re.Match[str]](), list[Span]()
    for match, form in named:
        days = form.days(match, today)
        if days and days[0] <= today and not any(_overlap(match, other) for other in taken):
            taken.append(match)
            found.append(_span(days, match[0], form.relative, zone))
    return tuple(found)


def _overlap(one: re.Match[str], other: re.Match[str]) -> bool:
    return one.start() < other.end() and other.start() < one.end()


def _span(days: tuple[date, date], said: str, relative: bool, zone: tzinfo) -> Span:
    since, before = (datetime.combine(day, time(), zone).timestamp() for day in days)
    return Span(since=since, before=before, said=said, relative=relative)


# ---- forms: what stands in a text, and the days that are meant by it, the last one excluded ----------------

_Days = tuple[date, date] | None
_Read = Callable[[re.Match[str], date], _Days]


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re.Pattern[str]
    days: _Read
    relative: bool = True


@cache
def _forms() -> Sequence[_Form]:
    """The forms of all languages."""
    told = [form for language in LANGUAGES for form in _forms_of(language)]
    return [_Form(_ISO, _full_date(LANGUAGES[0]), relative=False), *told]


def _forms_of(language: Language) -> Iterator[_Form]:
    yield from _kind(language, language.dates, _full_date(language), relative=False)
    yield from _kind(language, language.months_alone, _in_month(language), relative=False)
    yield from _kind(language, language.ago, _ago(language))
    yield from _kind(language, language.weekday, _on_weekday(language, weeks=0))
    yield from _kind(language, language.weekday_last_week, _on_weekday(language, weeks=1))
    for (unit, back), forms in language.calendar.items():
        yield from _kind(language, forms, _calendar(unit, back))
    for form, back in language.days.items():
        yield from _kind(language, (form,), _some_days(back))


def _kind(language: Language, forms: Sequence[str], days: _Read, *, relative: bool = True) -> Iterator[_Form]:
    for form in forms:
        yield _Form(_compiled(language, form), days, relative)


def _compiled(language: Language, form: str) -> re.Pattern[str]:
    """A form with the language's words in it; where words stand apart, it begins and ends with one."""
    words = {
        "number": _any_of(language.numbers, r"\d{1,3}"),
        "unit": _any_of(language.units),
        "weekday": _any_of(language.weekdays),
        "month": _any_of(language.months),
        "day": _any_of(language.days_of_month, r"3[01]|[12]\d|0?[1-9]"),
        "year": r"(?P<year>(?:19|20)\d\d)",
    }
    for name, pattern in words.items():
        form = form.replace(f"<{name}>", pattern if pattern.startswith("(?P") else f"(?P<{name}>{pattern})")
    return re.compile(form if language.spaceless else rf"(?<!\w)(?:{form})(?!\w)")


def _any_of(words: Mapping[str, object], *more: str) -> str:
    return "|".join([*sorted(words, key=len, reverse=True), *more])


def _full_date(language: Language) -> _Read:
    """A day and a month; without a year the last one there was."""

    def days(match: re.Match[str], today: date) -> _Days:
        found = match.groupdict()
        month = int(found["m"]) if found.get("m") else language.months[found["month"]]
        year = int(found["year"]) if found.get("year") else today.year
        number = language.days_of_month.get(found["day"]) or int(found["day"])
        day = _day(year, month, number)
        if day and not found.get("year") and day > today:
            day = _day(year - 1, month, number)
        return (day, day + timedelta(1)) if day else None

    return days


def _ago(language: Language) -> _Read:
    def days(match: re.Match[str], today: date) -> _Days:
        unit = language.units[match["unit"]]
        number = int(match["number"]) if match["number"].isdigit() else language.numbers[match["number"]]
        back = number * LENGTH[unit]
        if back >= (today - date(FIRST_YEAR, 1, 1)).days:
            return None
        day, margin = today - timedelta(back), timedelta(MARGIN[unit])
        return day - margin, day + margin + timedelta(1)

    return days


def _on_weekday(language: Language, *, weeks: int) -> _Read:
    """That day of the last so many weeks' week; of none, the last one before today."""

    def days(match: re.Match[str], today: date) -> _Days:
        wanted = language.weekdays[match["weekday"]]
        back = (today.weekday() - wanted) % 7 or 7
        day = today - timedelta(today.weekday() + 7 * weeks - wanted if weeks else back)
        return day, day + timedelta(1)

    return days


def _calendar(unit: str, back: int) -> _Read:
    """The week, month or year so many before this one."""

    def days(_: re.Match[str], today: date) -> _Days:
        if unit == "week":
            monday = today - timedelta(today.weekday() + 7 * back)
            return monday, monday + timedelta(7)
        if unit == "month":
            return _month(today.year, today.month - back)
        return date(today.year - back, 1, 1), date(today.year - back + 1, 1, 1)

    return days


def _some_days(back: int) -> _Read:
    return lambda _, today: (today - timedelta(back), today - timedelta(back - 1))


def _in_month(language: Language) -> _Read:
    """A month; without a year the last one that has begun."""

    def days(match: re.Match[str], today: date) -> _Days:
        found = match.groupdict()
        month = language.months[found["month"]]
        year = int(found["year"]) if found.get("year") else today.year - (month > today.month)
        return _month(year, month)

    return days


def _month(year: int, month: int) -> tuple[date, date]:
    """Its days; month 0 is December of the year before."""
    at = 12 * year + month - 1
    return date(at // 12, at % 12 + 1, 1), date((at + 1) // 12, (at + 1) % 12 + 1, 1)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # no such day: the 30th of February, or the 29th in most years
        return None
