"""The page about a conversation: what stands in the window, and what was recalled for it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from sash import Conversation, Economic, Everything, File, Recall, SteppedWindow, lab
from sash.inspect.window import past_parts, planned_parts
from sash.simulator import Simulator

FILLER = "Now tell me something quite different about the weather in the mountains, please, number {}. "
VOID = ("br", "img", "meta", "link", "hr", "input")


class Balanced(HTMLParser):
    """Which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Every element that has an end is closed again."""
        del attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """In order."""
        assert self.open.pop() == tag


def recalling(sim: Simulator) -> Conversation:
    """A conversation whose first turn left the view and was recalled for the newest question."""
    chat = Conversation(
        id="a", client=sim.client(), clock=sim.clock.now, budget=2_000, keep=300, max_tokens=300,
        strategy=SteppedWindow(), recall=Recall(tokens=400),
    )  # fmt: skip
    chat.send("The password of the <cellar> is zebrawood 4471.")
    for number in range(9):
        chat.send(FILLER.format(number) * 6)
    chat.send("What is the password of the cellar?")
    return chat


def test_what_was_recalled_stands_in_strip_and_list() -> None:
    """In front of its question, with size and source turns; the markup closes what it opens."""
    with recalling(Simulator()) as chat:
        attached = next(turn.attachment for turn in reversed(chat.history()) if turn.plain)
        assert attached is not None
        page, question = chat._repr_html_(), chat.history()[-2].seq
        [told] = re.findall(rf"<title>(quoted in front of turn {question}: [^<]*)</title>", page)
        assert f"{attached.tokens:,} tokens (estimate)" in told
        assert all(f"turn {source.seq} (" in told for source in attached.sources)
        assert "Quoted in front of it: turn" in page and "<cellar>" not in page
        parser = Balanced()
        parser.feed(page)
        assert parser.open == []


def test_what_is_no_longer_sent_says_so() -> None:
    """After the next cut the recalled turns have left the strip, and the list says that they are not sent."""
    with recalling(Simulator()) as chat:
        chat.send(FILLER.format(99) * 20)
        page = chat._repr_html_()
        question = next(turn.seq for turn in chat.history() if turn.text == "What is the password of the cellar?")
        epoch = chat.request(chat.usage().requests).epoch
        gone = epoch.attachments_from > question
        assert gone == ("no longer sent: turn" in page) == (f"quoted in front of turn {question}" not in page)


def test_the_piece_holds_all_that_it_shows() -> None:
    """Style and pictures are inside: nothing is loaded, and there is no script."""
    with Conversation(client=Simulator().client()) as chat:
        picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
        chat.extend([{"role": "user", "content": [File(picture), "What is <this>?"]}])
        page = chat._repr_html_()
    assert "data:image/png;base64," in page and "&lt;this&gt;" in page and "prefers-color-scheme: dark" in page
    assert "<script" not in page and "<link" not in page and not re.search(r'(src|href)="(?!data:|#)', page)


def test_plans_and_past_requests_are_drawn_like_conversations() -> None:
    """By the same stylesheet, self-contained and closed, with what the request holds, why, its price and its body."""
    with recalling(Simulator()) as chat:
        plan, past = chat.plan("And <b>now</b>?"), chat.request(chat.usage().requests)
        for drawn in (str(plan._repr_html_()), str(past._repr_html_())):
            assert drawn.startswith('<div class="sash piece">') and "prefers-color-scheme: dark" in drawn
            assert "<b>now</b>" not in drawn and not re.search(r'<script|<link|(src|href)="(?!data:|#)', drawn)
            assert "quoted in front of turn" in drawn and "&#34;max_tokens&#34;: 300" in drawn
            parser = Balanced()
            parser.feed(drawn)
            assert parser.open == []
        assert plan.explain().splitlines()[0] in str(plan._repr_html_())
        used = past.request.usage
        assert used is not None and f"{used.prompt:,}" in str(past._repr_html_())


@pytest.mark.parametrize("kind", ["plan", "request"])
def test_the_parts_of_a_request_add_up_to_what_it_reads_and_costs(kind: str) -> None:
    """Parts stand in the order they are sent; those shown as read are the front that the cache gives, and no more."""
    sim = Simulator(thinking=False)
    with Conversation(client=sim.client(), clock=sim.clock.now, system="Be a mason. " * 400, budget=20_000) as chat:
        for number in range(4):
            chat.send(FILLER.format(number) * 6)
        if kind == "plan":
            plan = chat.plan("And now?")
            parts, read, prompt = planned_parts(plan), plan.expected.read, plan.prompt.tokens
        else:
            past = chat.request(4)
            assert past.request.usage is not None
            parts, read, prompt = past_parts(past), past.request.usage.read, past.request.usage.prompt
    cached = [part.cached for part in parts]
    assert cached == sorted(cached, reverse=True) and any(cached) and not all(cached)
    assert sum(part.tokens for part in parts) == pytest.approx(prompt, abs=40)
    assert sum(part.tokens for part in parts if part.cached) == pytest.approx(read, abs=40)


def test_an_empty_conversation_has_a_piece_too() -> None:
    """Before anything was said there is no strip and no turn, and no error."""
    with Conversation(id="new", client=Simulator().client()) as chat:
        assert "0 turns" in chat._repr_html_()


def test_a_comparison_is_drawn_as_a_table() -> None:
    """The cheapest first, each with what it is; the markup closes what it opens."""
    result = lab.compare(lab.synthetic("chatty", seed=1, exchanges=20), [Everything(), Economic()], budgets=4_000)
    page, parser = result._repr_html_(), Balanced()
    cheapest = min(result.rows, key=lambda row: row.dollars or 0.0).strategy
    assert re.findall(r"<code>([^<]*)</code>", page)[0] == cheapest
    parser.feed(page)
    assert parser.open == []
