"""Planted facts: a long conversation whose filler has names and numbers of its own, and what must survive in it.

`trace` makes one of any length, from a seed: small talk and questions about work, travel, money and households, with
answers to them; or, given texts, those as filler. Facts of each kind (numbers, dates, names, ids, URLs, identifiers)
and standing instructions are planted in the user's turns, alone or among other sentences. Nothing here knows a
strategy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal["number", "date", "name", "id", "url", "code", "instruction"]
KINDS: tuple[Kind, ...] = ("number", "date", "name", "id", "url", "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fact that somebody said once: the sentence, the value in it, and words that tell what it is about."""

    kind: Kind
    sentence: str
    value: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A turn of the trace, and what is planted in it."""

    role: Literal["user", "assistant"]
    text: str
    planted: tuple[Planted, ...] = field(default=())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words("Amara Bela Cato Dario Elke Farid Gwen Hanna Idris Jonas Keiko Lars Mina Nuri Olga Pavel Quinn Rosa")
LAST = _words("Abara Brandt Castell Duarte Eklund Farrow Ghosh Hale Ivers Jansky Koller Lindt Moreau Nakata Ortiz")
PLACES = _words("Bergen Cork Dresden Evora Fulda Gdansk Horten Izmir Jena Kassel Lugano Malmo Nantes Oulu Porto")
MONTHS = _words("January February March April May June July August September October November December")
THINGS = _words(
    """lamp desk heater bicycle printer sofa kettle camera ladder mixer router tent stove mirror drill
    piano boat shed fence garden roof pump canoe violin scooter freezer oven bench curtain awning
    trailer sled easel kiln loom press telescope drone projector speaker turntable microscope aquarium
    greenhouse hammock treadmill dryer vacuum toaster blender grill fireplace chimney gutter driveway
    garage cellar attic balcony terrace pergola sauna trampoline swing slide sandbox treehouse mailbox
    doorbell thermostat boiler radiator generator compressor"""
)
WORDS = _words("orbit maple cobalt harbor lentil granite willow saffron pixel falcon ember quartz tundra velvet")


def facts(chance: Random, each: int = 10) -> list[Planted]:
    """Facts, `each` of every kind, each about a thing of its own (as long as they last)."""
    things = iter(chance.sample(THINGS, k=len(THINGS)) * (1 + each * len(KINDS) // len(THINGS)))
    return [
        _fact(kind, SENTENCES[kind][number % len(SENTENCES[kind])], next(things), chance)
        for kind in KINDS
        for number in range(each)
    ]


def _fact(kind: Kind, maker: tuple[str, Callable[[Random], str]], thing: str, chance: Random) -> Planted:
    """A sentence filled in; `{v}` is the value, `{t}` the thing that it is about."""
    sentence, make = maker
    value = make(chance)
    return Planted(kind=kind, sentence=sentence.format(v=value, t=thing), value=value, about=(thing,))


def _number(chance: Random) -> str:
    return str(chance.randrange(1_200, 98_000))


def _amount(chance: Random) -> str:
    return f"${chance.randrange(1, 40)},{chance.randrange(100, 1000)}"


def _measure(chance: Random) -> str:
    return f"{chance.randrange(11, 980)}.{chance.randrange(1, 10)} {chance.choice(['kg', 'km', 'ml', 'mm'])}"


def _day(chance: Random) -> str:
    return f"{chance.randrange(1, 29)} {chance.choice(MONTHS)} {chance.randrange(2027, 2032)}"


def _iso(chance: Random) -> str:
    return f"{chance.randrange(2027, 2032)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"


def _person(chance: Random) -> str:
    return f"{chance.choice(FIRST)} {chance.choice(LAST)}"


def _doctor(chance: Random) -> str:
    return f"Dr. {chance.choice(FIRST)} {chance.choice(LAST)}"


def _order(chance: Random) -> str:
    return f"{chance.choice(WORDS)[:3].upper()}-{chance.randrange(1000, 9999)}-{chance.choice('ABCDEFGHJK')}"


def _digits(chance: Random) -> str:
    return str(chance.randrange(10_000_000, 99_999_999))


def _url(chance: Random) -> str:
    return f"https://{chance.choice(WORDS)}.example.org/{chance.randrange(1_000, 10_000)}"


def _snake(chance: Random) -> str:
    return f"{chance.choice(['load', 'sync', 'merge'])}_{chance.choice(WORDS)}_{chance.choice(THINGS)}"


def _camel(chance: Random) -> str:
    return f"{chance.choice(WORDS).title()}{chance.choice(THINGS).title()}Factory"


def _path(chance: Random) -> str:
    return f"src/{chance.choice(WORDS)}_{chance.choice(WORDS)}.py"


SENTENCES: dict[Kind, tuple[tuple[str, Callable[[Random], str]], ...]] = {
    "number": (
        ("The budget for the {t} is {v}.", _amount),
        ("We counted {v} boxes for the {t}.", _number),
        ("The {t} weighs {v}.", _measure),
        ("My share of the {t} is {v}.", _amount),
    ),
    "date": (
        ("The {t} is due on {v}.", _day),
        ("Our inspection of the {t} is on {v}.", _iso),
        ("I bought the {t} on {v}.", _day),
        ("The warranty of the {t} ends {v}.", _iso),
    ),
    "name": (
        ("{v} is in charge of the {t}.", _person),
        ("{v} repaired the {t}.", _person),
        ("My contact for the {t} is {v}.", _doctor),
        ("I lent the {t} to {v}.", _person),
    ),
    "id": (
        ("My order number for the {t} is {v}.", _order),
        ("The {t} has the serial number {v}.", _digits),
        ("They filed the {t} under ticket {v}.", _order),
        ("Our customer id for the {t} is {v}.", _digits),
    ),
    "url": (
        ("The manual of the {t} is at {v}.", _url),
        ("Photos of the {t} are at {v} now.", _url),
        ("The page for the {t} is {v}.", _url),
    ),
    "code": (
        ("The {t} is handled by {v}.", _snake),
        ("In our code the {t} is built by {v}.", _camel),
        ("The settings for the {t} live in {v}.", _path),
    ),
}

ORDERS = (
    "Always give temperatures in Celsius.",
    "Never use the word utilise.",
    "From now on, sign your answers with Sash.",
    "Please don't use emojis.",
    "Call me Captain.",
    "When I ask about prices, add the date of the quote.",
    "Keep your answers under five sentences.",
    "Answer in British English.",
    "I'd like you to address my team as colleagues.",
    "Remember that I am allergic to walnuts.",
    "Only use sources from after 2020.",
    "Do not mention my neighbour.",
)
"""Standing instructions in the documented forms."""


def orders() -> list[Planted]:
    """The instructions, as planted facts."""
    return [Planted(kind="instruction", sentence=text, value=text) for text in ORDERS]


def filler(chance: Random) -> Iterator[tuple[str, str]]:
    """Exchanges without end: what the user says, what is answered. Full of names and numbers."""
    while True:
        topic = chance.choice(TOPICS)
        asked = " ".join(_fill(line, chance) for line in chance.sample(topic[0], k=min(3, len(topic[0]))))
        told = " ".join(_fill(line, chance) for line in chance.sample(topic[1], k=len(topic[1])) * 3)
        yield asked, told


def _fill(line: str, chance: Random) -> str:
    return re.sub(r"\{(\w)\}", lambda sign: DRAWS[sign[1]](chance), line)


DRAWS: dict[str, Callable[[Random], str]] = {
    "a": lambda chance: chance.choice(FIRST),
    "b": lambda chance: f"{chance.choice(FIRST)} {chance.choice(LAST)}",
    "c": lambda chance: chance.choice(PLACES),
    "d": lambda chance: str(chance.randrange(2, 29)),
    "m": lambda chance: chance.choice(MONTHS),
    "n": lambda chance: str(chance.randrange(100, 400)),
    "o": lambda chance: str(chance.randrange(2, 90)),
    "t": lambda chance: chance.choice(THINGS),
    "w": lambda chance: chance.choice(WORDS),
    "y": lambda chance: str(chance.randrange(1890, 2026)),
}
"""What stands for the letters in the filler's sentences."""

TOPICS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        (
            "We took the train to {c} with {a} and paid {n} euros for {o} nights.",
            "What can one see around {c} in {m}?",
            "{a} told me that the museum there had {n} visitors on a rainy day.",
            "The walk from the station took us {o} minutes, past {o} shops.",
        ),
        (
            "{c} was founded in {y} and has about {n} thousand inhabitants.",
            "In {m} it rains on {d} days, and the old town closes at {o} past nine.",
            "A guide named {b} leads tours of {o} people through the {n} rooms of the castle.",
            "From {c} a boat goes to {c} every {o} minutes; {b} wrote a book about it in {y}.",
            "The tower is {n} steps high, and {a} once climbed it in {o} minutes.",
        ),
    ),
    (
        (
            "{a} cooked for {o} guests last week and used {n} grams of flour.",
            "How long would you roast something of {n} grams?",
            "It came out dry after {o} minutes, and {a} was not amused.",
            "The market in {c} had {o} kinds of apples at {d} cents each.",
        ),
        (
            "Roast it for {n} minutes at {n} degrees, then let it rest for {o} minutes.",
            "The recipe goes back to {b}, who wrote it down in {c} in {y}.",
            "Use {o} grams of salt to {n} grams of water, and {d} cloves.",
            "In {c} they add {o} walnuts; in {c} they leave out the {w} entirely.",
        ),
    ),
    (
        (
            "The meeting with {a} from {c} ran {o} minutes over, with {d} slides left.",
            "Can you explain why margins fell by {o} percent in {m}?",
            "{b} presented {n} figures and nobody asked anything.",
            "There were {d} of us in the room and {o} on the line.",
        ),
        (
            "Margins fall by {o} percent when {n} orders are returned, as {b} showed in {y}.",
            "In the quarter that ended in {m}, the plant in {c} shipped {n} units with {o} people.",
            "A rule of thumb by {b}: {d} meetings a week cost {n} hours a year.",
            "Prices in {c} rose by {o} percent between {y} and {y}, those in {c} by {d}.",
            "The {w} index stood at {n} in {m} and at {o} a year later.",
        ),
    ),
    (
        (
            "I watched a film about {b} with {a}; it has {o} scenes in {c}.",
            "Who won the {w} cup in {y}, and by how many points?",
            "{a} guessed {o} and lost {d} coins to {a}.",
        ),
        (
            "{b} won it in {y} with {n} points, {o} ahead of {b}.",
            "The film was shot in {c} over {n} days; {a} appears in {o} of its scenes.",
            "Critics in {c} gave it {d} of {o} stars, and {n} people saw it on its first day.",
            "A second part was planned for {m} {y} but {b} withdrew after {d} weeks.",
        ),
    ),
)


def trace(
    *,
    seed: int = 0,
    characters: int = 460_000,
    spread: float = 1.0,
    each: int = 10,
    texts: Sequence[tuple[str, str]] = (),
) -> list[Said]:
    """A conversation of about so many characters, its facts spread over the first part `spread` of it.

    `texts`: exchanges of a real conversation to use as filler, repeated if they do not last.
    """
    chance = Random(seed)
    planted = [*facts(chance, each), *orders()]
    chance.shuffle(planted)
    exchanges = list(_enough(texts, characters) if texts else _until(filler(chance), characters))
    first = range(max(1, int(len(exchanges) * spread)))
    at: dict[int, list[Planted]] = {}
    for number, fact in enumerate(planted):  # one each, and more where there are fewer exchanges than facts
        at.setdefault(first[(number * len(first)) // len(planted)], []).append(fact)
    turns: list[Said] = []
    for number, (asked, told) in enumerate(exchanges):
        turns.append(_with(at.get(number, []), asked, chance))
        turns.append(Said(role="assistant", text=told))
    return turns


def _with(planted: Sequence[Planted], asked: str, chance: Random) -> Said:
    """The facts before, after or in the midst of what the user says anyway, or alone; never inside pasted lines."""
    text = asked
    for fact in planted:
        parts = text.split(". ") if "\n" not in text else [text]
        at = chance.randrange(0, len(parts) + 1)
        if len(planted) == 1 and chance.random() < 0.3:
            text = fact.sentence
        elif "\n" in text or text[-1] not in ".?!":
            text = f"{fact.sentence}\n{text}" if at == 0 else f"{text}\n{fact.sentence}"
        elif at == len(parts):
            text = f"{text} {fact.sentence}"
        else:
            text = ". ".join([*parts[:at], fact.sentence.removesuffix("."), *parts[at:]])
    return Said(role="user", text=text, planted=tuple(planted))


def _until(exchanges: Iterator[tuple[str, str]], characters: int) -> Iterator[tuple[str, str]]:
    for asked, told in exchanges:
        yield asked, told
        characters -= len(asked) + len(told)
        if characters <= 0:
            return


def _enough(texts: Sequence[tuple[str, str]], characters: int) -> Iterator[tuple[str, str]]:
    def again() -> Iterator[tuple[str, str]]:
        while True:
            yield from texts

    return _until(again(), characters)
