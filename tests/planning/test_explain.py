"""What people read of a plan: plain words with the numbers that matter, and a repr that fits a line."""

import re

import pytest

from sash import ClearedTools, Conversation, Economic, Everything, SlidingWindow, SteppedWindow, Summarised
from sash.planning.situation import Strategy
from sash.simulator import Simulator

GLOSSARY = re.compile(
    r"\b(epochs?|preamble|prefix|exchanges?|verbatim|fresh|breakpoints?|markers?|tail|view|[Rr]ule|keep=|cut|record)\b"
)
STRATEGIES = (
    Economic(),
    Economic(early=False),
    Everything(),
    SlidingWindow(turns=3),
    SteppedWindow(keep=300, high=900),
    ClearedTools(),
    Summarised(tokens=100),
)
LINE = 120


def plans(strategy: Strategy, said: int = 14) -> list[str]:
    """What the plans of a conversation say that is cut several times, pauses, and changes its tools."""
    sim = Simulator()
    with Conversation(client=sim.client(), clock=sim.clock.now, budget=1_600, keep=400, strategy=strategy) as chat:
        texts = []
        for n in range(said):
            reply = chat.send(f"Slate {n} is for roof {n * 7}. " + "Please be exact about it. " * 6)
            texts.append(reply.plan.explain())
            sim.clock.advance(7_200 if n % 5 == 4 else 20)
        texts.append(chat.plan("And now?", system="Be brief.").explain())
        return texts


def test_a_short_conversation_is_told_in_plain_words() -> None:
    """Where all is sent the plan says so, with its size and what always stays."""
    with Conversation(client="simulator", budget=32_000, keep=8_000) as chat:
        chat.send("Hello, I am Ann.")
        plan = chat.plan("Go on.")
    first, second, *_ = plan.explain().splitlines()
    assert first == f"Everything said so far is sent: 3 messages, {plan.kept:,} tokens."
    assert second == "Nothing has to leave: the newest 8,000 tokens always stay."


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_no_plan_needs_a_glossary(strategy: Strategy) -> None:
    """Whatever the strategy does, none of the words that only sash's own documents explain is in its plans."""
    for text in plans(strategy):
        assert not (found := GLOSSARY.findall(text)), (found, text)


def test_what_is_left_out_is_numbered() -> None:
    """After a cut the plan names how many turns are not sent, pinned ones not counted among them."""
    with Conversation(client="simulator", budget=1_600, keep=400, strategy=SlidingWindow(turns=2)) as chat:
        for n in range(5):
            chat.send(f"Slate {n} is for roof {n * 7}.")
        chat.pin(chat.history()[0])
        plan = chat.plan("And now?")
    assert "6 older turns are not sent" in plan.explain()
    assert "1 pinned question" in plan.explain()


def test_where_the_cache_is_written_stands_in_words() -> None:
    """A plan that caches says what, and for how long."""
    with Conversation(client="simulator", system="You know all slates of the town. " * 400) as chat:
        chat.send("Hello.")
        text = chat.plan("And now?").explain()
    assert re.search(r"Cached for (5 minutes|an hour): .*tools and system prompt", text)
    assert re.search(r"[\d,]+ read from the cache", text)


@pytest.mark.parametrize("text", ["Hi.", "x" * 50_000, "\U0001f600\n\x00'\"" * 5_000])
def test_what_a_shell_shows_fits_a_line(text: str) -> None:
    """The repr of conversation, plan, reply and turn is one line, however much was said."""
    strategy = Summarised(
        inner=SteppedWindow(keep=8_000, high=500_000), by="claude-sonnet-5-5", tokens=2_000, wait=False
    )
    with Conversation(client="simulator", id="i" * 200, budget=600_000, strategy=strategy) as chat:
        reply = chat.send(text)
        shown = [repr(one) for one in (chat, reply, reply.plan, chat.plan(text), *chat.history())]
    assert [one for one in shown if len(one) >= LINE or "\n" in one] == []
    assert "Reply(" in shown[1] and "answered" in shown[-1]
