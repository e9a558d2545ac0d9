"""What is run over: the conversation that ships with sash, made-up traffic with words, and recordings of one's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

from sash import demo, lab
from sash.demo.script import SHIPPED_SYSTEM
from sash.errors import InvalidOption
from sash.formats import ImportedConversation, ImportedTurn, Question
from sash.formats.values import text_block
from sash.lab.living import Story
from sash.lab.sources import recordings_of
from sash.replay import Trace

BEGAN = 1.7e9
EVERY = 10
"""One exchange in so many tells something that is asked for later."""
WORDS = (
    "after again along before between by carried day early evening far found garden harbour house kept later light "
    "little long market might morning most never north often old once over people quiet rain river road round same "
    "seen shop side small some still stone street than then there they through time toward town under until walked "
    "water when where which while white window winter with without wood work would year"
)
TOKENS_A_WORD = 1.15
SYSTEM = "You are a helpful assistant. Answer from what was said, and briefly."


def shipped() -> lab.Recording:
    """The demo conversation with its questions; the turn that tells a fact is its evidence."""
    turns, facts = demo.load()
    times = list(accumulate(float(turn.gap_s or 0) for turn in turns))
    told = ImportedConversation(
        id="demo",
        turns=tuple(
            ImportedTurn(role=turn.role, content=[text_block(turn.text)], at=BEGAN + at, id=str(number))
            for number, (turn, at) in enumerate(zip(turns, times, strict=True))
        ),
        system=SHIPPED_SYSTEM,
        questions=tuple(
            Question(text=fact.question, answer=fact.answer, evidence=(str(fact.turn),), category=fact.kind)
            for fact in facts
        ),
    )
    return recordings_of(told)[0]


def made_up(regime: str, seed: int, exchanges: int) -> lab.Recording:
    """Synthetic traffic of the lab, with words of these sizes; now and then a code is told, and asked for later.

    Raises InvalidOption for a regime that is not known, or has tool runs.
    """
    trace = lab.synthetic(regime, seed=seed, exchanges=exchanges)
    if not all(call.exchange for call in trace.calls[1:]):
        raise InvalidOption(
            f"{regime}: it has tool runs, and peers are compared on talk", option="regime", value=regime
        )
    turns = tuple(_turns(trace, random.Random(f"{trace.name}/words")))
    questions = tuple(
        Question(
            text=f"What is the code of locker {at}?",
            answer=_code(trace, at),
            evidence=(f"u{at}",),
            category="code",
        )
        for at in range(0, len(trace.calls), EVERY)
    )
    told = ImportedConversation(id=trace.name, turns=turns, questions=questions, system=SYSTEM)
    return recordings_of(told)[0]


def _turns(trace: Trace, dice: random.Random) -> Iterator[ImportedTurn]:
    """A third of what a request adds is said by the user, the rest was answered before."""
    sizes = [call.tokens for call in trace.calls]
    for number, (at, size) in enumerate(zip(trace.times, sizes, strict=True)):
        code = f" The code of locker {number} is {_code(trace, number)}." if number % EVERY == 0 else ""
        said = prose(dice, size // 3) + code
        after = sizes[number + 1] if number + 1 < len(sizes) else size
        for role, text in (("user", said), ("assistant", prose(dice, after - after // 3))):
            yield ImportedTurn(
                role="user" if role == "user" else "assistant",
                content=[text_block(text)],
                at=BEGAN + at,
                id=f"{role[0]}{number}",
            )


def _code(trace: Trace, number: int) -> str:
    return f"{random.Random(f'{trace.name}/{number}').randrange(100_000, 1_000_000)}-K"


def prose(dice: random.Random, tokens: int) -> str:
    """Words that come to about so many tokens, and mean nothing."""
    words = dice.choices(WORDS.split(), k=max(1, round(tokens / TOKENS_A_WORD)))
    return " ".join(words).capitalize() + "."


def check_talk(story: Story) -> None:
    """Raise InvalidOption where something is more than text: a tool run, a picture."""
    for exchange in story.exchanges:
        if exchange.steps or not isinstance(exchange.asked, str) or not isinstance(exchange.answered, str):
            raise InvalidOption(
                f"{story.id}: it holds more than text (tool runs, files), and peers are compared on talk; leave it out",
                option="traces",
                value=story.id,
            )
