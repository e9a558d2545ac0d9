"""The page about a conversation: what stands in the window, and what was recalled for it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from sash import Conversation, Recall, SteppedWindow
from sash.simulator import Simulator

FILLER = "Now tell me something quite different about the weather in the mountains, please, number {}. "


class Balanced(HTMLParser):
    """Which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Every element but a line break is closed again."""
        del attrs
        if tag != "br":
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
        told = f"{attached.tokens:,} tokens (estimate) of turn"
        page = chat._repr_html_()
        strip = re.findall(r"<div class='recalled[^']*' title='([^']*)' style='flex:(\d+)'>", page)
        question = chat.history()[-2].seq
        assert [
            (title.startswith(f"recalled for turn {question}: {told}"), int(wide)) for title, wide in strip[-1:]
        ] == [(True, attached.tokens)]
        assert f"recalled: {told}" in page
        assert all(str(source.seq) in strip[-1][0] for source in attached.sources)
        assert "no longer sent" not in page.split("<table>")[1].split("What is the password")[0].split("<tr>")[-1]
        parser = Balanced()
        parser.feed(page)
        assert parser.open == []


def test_without_recall_nothing_is_marked() -> None:
    """The strip has no such part; only the legend names it."""
    with Conversation(client="simulator") as chat:
        chat.send("Hello.")
        assert "<div class='recalled" not in chat._repr_html_()
        assert "recalled:" not in chat._repr_html_()
