"""The stress set: made-up conversations whose questions are hard to understand, from a seed.

Facts of many kinds are told over three weeks of small talk, one session a day, and asked for in the last week: in other
words, misspelt, updated or corrected since, as a follow-up, as several facts at once, as a preference or an instruction
that the question does not name, by the day they were told, as what a tool or Claude itself said, in eight languages;
some were told days before, in another conversation of the user (`stress.json`). The `open` and the `held` half share no
fact and no wording; a seed draws values, days and small talk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import planted
from sash.lab.living import COLD, PACE, WARM, LivedExchange, LivedQuestion, Story

DAYS, A_DAY = 24, 14
"""Days of the story, and exchanges of a day's session."""
TOLD, NEWER, LOGGED, ASKED = range(1, 13), range(13, 17), range(9, DAYS), range(17, DAYS)
"""Days on which facts are told; newer ones; what was done that day; on which questions are asked."""
EARLIER, AN_EARLIER_DAY = (-9, -4), 10
"""Days of the user's other conversations, and the exchanges of each."""
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOLLOW_UP = "follow-up"


def story(split: str, seed: int) -> Story:
    """The story of one half (open, held) that a seed makes."""
    items = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return _Telling(items, split, seed).story()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """An exchange on its day; `probes` are asked right behind it."""

    exchange: LivedExchange
    probes: tuple[LivedQuestion, ...] = ()


class _Telling:
    """One story in the making."""

    def __init__(self, items: Mapping[str, Any], split: str, seed: int) -> None:
        self._items, self._split = items, split
        self._chance = Random(f"{split}/{seed}")
        self._id = f"stress-{split}-{seed}"
        self._start = START + timedelta(days=self._chance.randrange(200))
        self._days: defaultdict[int, list[_Placed]] = defaultdict(list)
        self._last: defaultdict[int, list[LivedQuestion]] = defaultdict(list)
        self._earlier: defaultdict[int, list[LivedExchange]] = defaultdict(list)
        self._asked = count()
        self._small = planted.filler(self._chance)

    def story(self) -> Story:
        """All of it, in order."""
        for item in self._items[self._split]:
            self._tell(item, self._values())
        self._log(self._items["times"][self._split])
        told = [(day, placed) for day in range(DAYS) for placed in self._day(day)]
        exchanges = [
            replace(placed.exchange, at=self._moment(day) + PACE * number) for number, (day, placed) in enumerate(told)
        ]
        probes = [replace(probe, after=at) for at, (_, placed) in enumerate(told) for probe in placed.probes]
        return Story(
            data=f"stress {self._split}", id=self._id, exchanges=tuple(exchanges), probes=tuple(probes),
            elsewhere=tuple(self._conversation(day) for day in EARLIER),
        )  # fmt: skip

    def _conversation(self, day: int) -> tuple[LivedExchange, ...]:
        """Another conversation of the user: what was told in it among small talk."""
        said = [*self._earlier[day], *(self._chat() for _ in range(AN_EARLIER_DAY - len(self._earlier[day])))]
        self._chance.shuffle(said)
        return tuple(replace(one, at=self._moment(day) + PACE * number) for number, one in enumerate(said))

    # ---- facts ------------------------------------------------------------------------------------------------

    def _values(self) -> dict[str, str]:
        chance = self._chance
        (n, m), (p, q) = chance.sample(range(3_000, 10_000), k=2), chance.sample(self._items["people"], k=2)
        (c, k), (d, e) = chance.sample(self._items["towns"], k=2), chance.sample(range(5, 29), k=2)
        values = {"n": n, "m": m, "p": p, "q": q, "c": c, "k": k, "d": d, "e": e}
        return {key: str(value) for key, value in values.items()}

    def _tell(self, item: Mapping[str, Any], values: Mapping[str, str]) -> None:
        """The facts of an item on days of their own, and its question."""
        days = [*sorted(self._chance.choices(TOLD, k=len(item["told"])))]
        if "stale" in item:
            days[-1] = self._chance.choice(NEWER)
        for day, told in zip(days, item["told"], strict=True):
            if item.get("elsewhere"):
                self._earlier[self._chance.choice(EARLIER)].append(self._exchange(item, told, values))
                continue
            self._place(0 if item.get("first") else day, self._exchange(item, told, values), item.get("first"))
        probe = LivedQuestion(
            text=item["asked"].format(**values),
            category=item["kind"],
            wanted=tuple(text.format(**values) for text in item["wanted"]),
            stale=tuple(text.format(**values) for text in item.get("stale", ())),
            after=0,
            gap=self._gap(item["kind"] == FOLLOW_UP),
        )
        self._ask(probe, [text.format(**values) for text in item.get("before", ())])

    def _exchange(self, item: Mapping[str, Any], told: str, values: Mapping[str, str]) -> LivedExchange:
        answered = item.get("reply") or self._chance.choice(self._items["acknowledged"])
        result = item.get("result")
        return LivedExchange(
            asked=told.format(**values), answered=answered.format(**values),
            result=result.format(**values) if result else None,
        )  # fmt: skip

    def _place(self, day: int, exchange: LivedExchange, first: bool | None = False) -> None:
        if not first:
            self._days[day].append(_Placed(exchange=exchange))
        elif not self._days[-1]:  # told once, however often it is asked for
            self._days[-1].append(_Placed(exchange=exchange))

    def _ask(self, probe: LivedQuestion, before: Sequence[str]) -> None:
        day = self._chance.choice(ASKED)
        if before:
            asked, answered = before
            self._days[day].append(_Placed(exchange=LivedExchange(asked=asked, answered=answered), probes=(probe,)))
        else:
            self._last[day].append(probe)

    def _gap(self, warm: bool) -> float:
        return WARM if warm or next(self._asked) % 2 else COLD

    # ---- what was done each day -------------------------------------------------------------------------------

    def _log(self, times: Mapping[str, Any]) -> None:
        done = dict(zip(LOGGED, self._chance.sample(self._items["works"], k=len(LOGGED)), strict=True))
        for day, thing in done.items():
            told = self._chance.choice(times["told"]).format(w=thing)
            self._place(day, LivedExchange(asked=told, answered=self._chance.choice(self._items["acknowledged"])))
        for asked, ago in times["asked"]:
            day, gap = self._chance.choice(ASKED), self._gap(warm=False)
            then = day + (gap == COLD) - ago
            moment = datetime.fromtimestamp(self._moment(then), UTC)
            text = asked.format(n=ago, weekday=f"{moment:%A}", month=f"{moment:%B}", day=moment.day)
            self._last[day].append(LivedQuestion(text=text, category="time", wanted=(done[then],), after=0, gap=gap))

    # ---- days -------------------------------------------------------------------------------------------------

    def _moment(self, day: int) -> float:
        return (self._start + timedelta(days=day)).timestamp()

    def _day(self, day: int) -> Iterator[_Placed]:
        """A session: what is told that day among small talk; the day's questions are asked at its end."""
        told = self._days[day]
        talk = [*told, *(_Placed(exchange=self._chat()) for _ in range(max(3, A_DAY - len(told))))]
        self._chance.shuffle(talk)
        yield from self._days[-1] if day == 0 else ()
        yield from talk
        yield _Placed(exchange=self._chat(), probes=tuple(self._last[day]))

    def _chat(self) -> LivedExchange:
        """Small talk, short or long."""
        if self._chance.random() < 0.4:
            asked, told = next(self._small)
            return LivedExchange(asked=asked, answered=told[: self._chance.randrange(120, 500)].rpartition(" ")[0])
        asked, answered = self._chance.choice(self._items["chat"])
        values = self._values() | {"c": self._chance.choice(planted.PLACES)}
        return LivedExchange(asked=asked.format(**values), answered=answered.format(**values))
