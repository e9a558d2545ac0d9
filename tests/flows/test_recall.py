"""Finding old turns: what is looked at, what is left out, how much comes back, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation, MemoryStore, Recall
from sash.errors import InvalidContent, InvalidOption
from sash.flows.history.recall import embed, recall
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft
from sash.recall import Found, make_query, quoted
from sash.simulator import Simulator

SAID = (
    "My locker code is 7731.",
    "Noted, I shall remember it.",
    "The harbour opens at nine.",
    "It does, except on Sundays.",
    "Bread and cake for table four.",
    "They are on their way.",
)


class Letters:
    """An embedder that counts letters."""

    name = "letters"

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How often each letter stands in a text."""
        return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@pytest.fixture
def chat() -> Iterator[Conversation]:
    """A conversation of three exchanges."""
    with ExitStack() as stack:
        yield talk(stack, SAID)


def talk(stack: ExitStack, said: Any, id: str = "a") -> Conversation:
    """A conversation in which this was said."""
    one = stack.enter_context(Conversation(MemoryStore(), id=id, client="simulator"))
    one.extend([{"role": "assistant" if at % 2 else "user", "content": words} for at, words in enumerate(said)])
    return one


def ask(chat: Conversation, query: str, settings: Recall | None = None, **more: Any) -> list[Found]:
    """What `recall` gives over the conversation's own store."""
    return recall(chat._chat(), make_query(query), settings or Recall(), chat.model, **more)


def seqs(found: list[Found]) -> list[int]:
    """The turns that were found."""
    return [one.turn.seq for one in found]


def test_the_answer_comes_first_and_says_why(chat: Conversation) -> None:
    """A hit names the words it shares, a neighbour the hit it stands beside; the best has score 1."""
    found = {one.turn.seq: one for one in ask(chat, "Which code opens the locker?")}
    assert found[1].why.startswith("words: ") and {"locker", "code"} <= set(found[1].why[7:].split(", "))
    assert found[2].why.startswith("beside turn ") and found[1].score == 1.0 > found[2].score
    assert found[1].text == SAID[0] and found[1].tokens > 0


def test_by_meaning_the_reason_is_a_closeness(chat: Conversation) -> None:
    """With both kinds of search a turn can have both reasons."""
    found = ask(chat, "harbour opens", Recall(semantic=Letters(), words=False))
    assert all(one.why.startswith("words: ") or one.why.startswith("meaning: ") for one in found)
    both = ask(chat, "harbour opens", Recall(semantic=Letters()))
    assert both[0].turn.seq == 3 and "words: " in both[0].why and "; meaning: " in both[0].why


def test_without_neighbours_only_hits_come_back(chat: Conversation) -> None:
    """`neighbours=0` finds what holds the words, and nothing beside it."""
    assert seqs(ask(chat, "locker", Recall(neighbours=0))) == [1]


def test_until_and_without_leave_turns_out(chat: Conversation) -> None:
    """Neither what comes later nor what stands in the view anyway is found, even as a neighbour."""
    assert set(seqs(ask(chat, "locker harbour bread", until=3))) == {1, 2}
    assert set(seqs(ask(chat, "locker harbour bread", without={1, 3, 5}))) == {2, 4, 6}
    assert ask(chat, "locker", until=1) == []


@pytest.mark.parametrize("nothing", ["", "who are you?", "?!", "ᚠᚢᚦ", "submarine"])
@pytest.mark.parametrize("semantic", [False, Letters()])
def test_what_says_nothing_or_was_never_said_finds_nothing(chat: Conversation, nothing: str, semantic: Any) -> None:
    """No words, stop words alone, and by words what nobody said."""
    found = ask(chat, nothing, Recall(semantic=semantic))
    assert found == [] or (semantic and nothing in ("submarine", "ᚠᚢᚦ"))


def test_a_withdrawn_question_is_not_found(chat: Conversation) -> None:
    """A question that was refused and is asked again does not bring back itself."""
    store, key = chat._store, chat._chat().conversation
    draft = Draft(role="user", content=dumps([text_block("Where is the zebrawood chest?")]))
    (turn,) = store.turns.append(key, head=6, turns=(draft,), at=1.0)
    with store.database.writing() as db:  # type: ignore[attr-defined]
        db.execute("UPDATE turns SET state = 'withdrawn' WHERE id = ?", (turn.id,))
    assert 7 not in seqs(ask(chat, "zebrawood chest"))


def test_a_redacted_turn_never_comes_back(chat: Conversation) -> None:
    """Neither by its words, nor beside a hit, nor by the word that stands in its place."""
    chat.redact(chat.history()[1])
    for query in ("locker", "remember", "redacted", "Noted, locker harbour"):
        assert 2 not in seqs(ask(chat, query, Recall(semantic=Letters()))), query


def test_forks_find_the_shared_past(chat: Conversation) -> None:
    """A fork finds what was said before it, and its own turns; the other one does not find those."""
    with chat.fork(id="b") as fork:
        fork.extend([{"role": "user", "content": "The anchor is black."}])
        assert seqs(fork.recall("locker anchor", neighbours=0)) in ([1, 7], [7, 1])
        assert chat.recall("anchor") == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("ab <&1漢\n", max_size=200).map("code {}".format), min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_never_more_than_was_allowed(said: list[str], tokens: int) -> None:
    """What was found takes at most `tokens` as the counter counts it, whatever the texts."""
    with ExitStack() as stack:
        chat = talk(stack, said)
        found = ask(chat, "code 漢字", Recall(tokens=tokens))
        counter = chat._chat().counter
        empty = counter.count(counter.measure_message("user", [text_block("a")])).tokens - 1
        told = counter.count(counter.measure_message("user", [text_block(quoted(found))])).tokens - empty
        assert not found or told <= tokens


def test_embedding_stops_when_told(chat: Conversation) -> None:
    """`embed` gives turns their vectors as long as it may go on, and says how many."""
    inner = chat._chat()
    assert embed(inner, Letters(), lambda: False) == 0
    assert embed(inner, Letters(), lambda: True) == 6
    assert embed(inner, Letters(), lambda: True) == 0


def test_by_hand_settings_are_checked(chat: Conversation) -> None:
    """`Conversation.recall` refuses what cannot be a setting or a query."""
    for wrong in ({"tokens": 0}, {"neighbours": -1}, {"words": False}, {"semantic": "yes"}, {"colour": 1}):
        with pytest.raises(InvalidOption):
            chat.recall("locker", **wrong)
    with pytest.raises(InvalidContent):
        chat.recall(None)  # type: ignore[arg-type]


async def _search(chat: AsyncConversation) -> tuple[list[Found], str]:
    return await chat.recall("locker", neighbours=0), await chat.recall_tool().call({"query": "locker"})


def test_async_conversations_find_the_same() -> None:
    """`recall` and the search tool with await; the tool quotes what it finds."""

    async def talk() -> tuple[list[Found], str]:
        async with AsyncConversation(client=Simulator().async_client(), id="a") as chat:
            await chat.extend([{"role": "user", "content": words} for words in SAID[:3]])
            return await _search(chat)

    found, told = asyncio.run(talk())
    assert seqs(found) == [1] and SAID[0] in told and told.startswith("<recalled>")
