"""Times that a question names: in six languages, as their asker means them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.recall.times import Span, spans

WEDNESDAY = datetime(2026, 3, 18, 10, tzinfo=UTC)
"""The moment at which all is asked here, unless said otherwise."""


def days(text: str, now: datetime = WEDNESDAY) -> list[tuple[str, int]]:
    """What a text names: the first day, and how many."""
    found = spans(text, now.timestamp(), UTC)
    return [(f"{datetime.fromtimestamp(one.since, UTC):%Y-%m-%d}", _length(one)) for one in found]


def _length(span: Span) -> int:
    return round((span.before - span.since) / 86_400)


@pytest.mark.parametrize(
    ("text", "first", "length"),
    [
        ("What did we talk about last Friday?", "2026-03-13", 1),
        ("What did I do two days ago?", "2026-03-16", 1),
        ("What happened on 27 June?", "2025-06-27", 1),
        ("What happened on June 27th, 2024?", "2024-06-27", 1),
        ("What happened on 2023-06-27?", "2023-06-27", 1),
        ("Did we go out in March?", "2026-03-01", 31),
        ("And in June 2025?", "2025-06-01", 30),
        ("the day before yesterday", "2026-03-16", 1),
        ("What did I say last week?", "2026-03-09", 7),
        ("a month ago", "2026-02-06", 21),
        ("What did we say last year?", "2025-01-01", 365),
        ("Was haben wir letzten Freitag besprochen?", "2026-03-13", 1),
        ("Was habe ich vor zwei Tagen gesagt?", "2026-03-16", 1),
        ("Was war am 27. Juni?", "2025-06-27", 1),
        ("Was war am 3.2.?", "2026-02-03", 1),
        ("vorgestern", "2026-03-16", 1),
        ("im März", "2026-03-01", 31),
        ("De quoi avons-nous parlé vendredi dernier ?", "2026-03-13", 1),
        ("Qu'ai-je dit il y a trois jours ?", "2026-03-15", 1),
        ("le 1er mai", "2025-05-01", 1),
        ("avant-hier", "2026-03-16", 1),
        ("la semaine dernière", "2026-03-09", 7),
        ("¿De qué hablamos el viernes pasado?", "2026-03-13", 1),
        ("¿Qué hice anteayer?", "2026-03-16", 1),
        ("el 27 de junio de 2025", "2025-06-27", 1),
        ("hace dos semanas", "2026-03-01", 7),
        ("我上周五说了什么？", "2026-03-13", 1),
        ("两天前我做了什么？", "2026-03-16", 1),
        ("大前天", "2026-03-15", 1),
        ("三月五日", "2026-03-05", 1),
        ("上个月", "2026-02-01", 28),
        ("先週の金曜日に何を話しましたか？", "2026-03-13", 1),
        ("三日前に何をしましたか？", "2026-03-15", 1),
        ("一昨日", "2026-03-16", 1),
        ("3月5日に", "2026-03-05", 1),
        ("昨日は何をした？", "2026-03-17", 1),
    ],
)
def test_a_time_is_the_days_that_are_meant(text: str, first: str, length: int) -> None:
    """Each form names one time; without a year it is the last one there was, and "Friday" is no second time in it."""
    assert days(text) == [(first, length)]


@pytest.mark.parametrize(
    "text",
    [
        "May I ask you something?", "I march on.", "a second one", "What is my order number 1138?", "Sun and rain",
        "on the 30th of February", "in 3 days", "Where do we live?", "Ist das gut so?", "9999999 days ago", "",
    ],
)  # fmt: skip
def test_what_names_no_past_time_is_left_alone(text: str) -> None:
    """Words that are months elsewhere, days that are none and what lies ahead name nothing."""
    assert days(text) == []


def test_days_begin_at_midnight_of_the_zone() -> None:
    """Yesterday is the user's yesterday: at one in the morning in Berlin it is another day than in UTC."""
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 3, 18, 0, 30, tzinfo=berlin)
    (there,) = spans("yesterday", now.timestamp(), berlin)
    assert datetime.fromtimestamp(there.since, berlin) == datetime(2026, 3, 17, tzinfo=berlin)
    assert days("yesterday", now) == [("2026-03-16", 1)]


def test_a_day_of_the_change_to_summer_time_is_an_hour_shorter() -> None:
    """Spans follow the zone's clock, not 86,400 seconds."""
    berlin = ZoneInfo("Europe/Berlin")
    (there,) = spans("yesterday", datetime(2026, 3, 30, 9, tzinfo=berlin).timestamp(), berlin)
    assert there.before - there.since == 23 * 3_600


moments = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


@given(now=moments, back=st.integers(1, 300), form=st.sampled_from(["{} days ago", "vor {} Tagen", "hace {} días"]))
def test_days_ago_is_that_day(now: datetime, back: int, form: str) -> None:
    """So many days ago is the day so many days before, whatever the calendar does between."""
    assert days(form.format(back), now) == [(f"{now.date() - timedelta(back)}", 1)]


@given(now=moments, day=st.dates(date(1980, 1, 1), date(2099, 12, 31)))
def test_a_date_without_a_year_is_the_last_one(now: datetime, day: date) -> None:
    """It lies in the year before now, and has the day and month that were said."""
    for first, length in days(f"on {day.day} {day:%B}", now):
        said = date.fromisoformat(first)
        assert (said.day, said.month, length) == (day.day, day.month, 1)
        assert now.date() - timedelta(366) <= said <= now.date()


@given(text=st.text(max_size=60), now=moments)
def test_no_text_is_too_odd(text: str, now: datetime) -> None:
    """Any text is read; what is found begins in the past, ends after it begins, and stands in the text."""
    for one in spans(text, now.timestamp(), UTC):
        assert one.since <= now.timestamp() and one.since < one.before and one.said in text.lower()
