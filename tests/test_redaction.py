"""Forgetting on a user's request: the words are gone from the file and from all that was made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lines import lose_places
from sash import Conversation, Recall, ServerCompaction, SteppedWindow, Summarised, check_request
from sash.errors import Conflict, NotFound
from sash.simulator import Overloaded, Simulator, Stopped
from sash.stores import Store
from sash.stores.around import around
from walks import TOOL, asks_for_summary

SECRET = "zebrawood"
FILLER = "Now tell me something quite different about the weather in the mountains, please, number {}. "


class Bag:
    """An embedder of words: each text's letters."""

    name = "bag"

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How often each letter stands in a text."""
        return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@pytest.fixture
def sim() -> Simulator:
    """A simulator with a clock of its own."""
    return Simulator()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the record is."""
    return tmp_path / "chats.db"


@pytest.fixture
def chat(path: Path, sim: Simulator) -> Iterator[Conversation]:
    """A conversation that was told a secret, lost it from view, and recalled it."""
    with Conversation(
        path, id="a", client=sim.client(), clock=sim.clock.now, budget=2_000, keep=300, max_tokens=300,
        strategy=SteppedWindow(), recall=Recall(tokens=400, semantic=Bag()),
    ) as found:  # fmt: skip
        found.send(f"The password of the cellar is {SECRET} 4471.")
        for number in range(9):
            found.send(FILLER.format(number) * 6)
        found.send("What is the password of the cellar?")
        found.wait_for_background()
        yield found


def test_no_word_of_it_is_left_in_the_file(chat: Conversation, path: Path) -> None:
    """Neither tables nor indexes, vectors, free pages or the log hold it once all that quoted it is redacted."""
    saying = [turn for turn in chat.history() if SECRET in turn.text]
    assert sum(chat.redact(turn, reason="asked for") for turn in saying) >= len(saying) > 1
    assert chat.recall(SECRET, semantic=False) == []
    assert all(SECRET not in one.text for one in chat.recall(SECRET))
    assert all(turn.attachment is None or SECRET not in turn.attachment.content for turn in chat.history())
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM turns_fts WHERE turns_fts MATCH ?", (SECRET,)).fetchone() == (0,)
        assert db.execute("SELECT count(*), min(reason) FROM forgotten").fetchone() == (len(saying), "asked for")
    db.close()
    chat.close()
    kept = [one.read_bytes().lower() for one in path.parent.iterdir()]
    assert kept and all(SECRET.encode() not in data for data in kept)


def test_a_redacted_turn_leaves_a_gap_and_ends_the_epoch(chat: Conversation) -> None:
    """The turn keeps its place; the next request is legal, begins an epoch and does not hold the words."""
    first = chat.history()[0]
    chat.redact(first)
    assert chat.history()[0].text == "[redacted]" and chat.history()[0].id == first.id
    plan = chat.plan("And now?")
    assert plan.cut and check_request(plan.body) == []
    assert not chat.request(1).intact and "[redacted]" in str(chat.request(1).body)


def test_what_repeats_it_goes_along(chat: Conversation) -> None:
    """A question that was asked again holds the same words."""
    chat.regenerate()
    question = next(turn for turn in reversed(chat.history()) if turn.plain)
    assert chat.redact(question) == 2


def test_calls_and_results_stay_a_pair(chat: Conversation, sim: Simulator) -> None:
    """A redacted call or result keeps id and name, so that the history stays legal."""
    sim.script([[{"type": "tool_use", "name": "lookup", "input": {"word": SECRET}}]])
    call = chat.send("Look it up.", tools=[TOOL]).tool_calls[0]["id"]
    sim.script([])
    chat.submit({call: f"It says {SECRET}."})
    for turn in chat.history(limit=4)[1:3]:
        chat.redact(turn)
    assert all(SECRET not in turn.content for turn in chat.history(limit=4)[1:3])
    assert check_request(chat.plan("And now?").body) == []
    assert chat.send("And now?").stop_reason == "end_turn"


def test_a_fork_that_shares_it_forgets_it_too(chat: Conversation) -> None:
    """A shared turn is one turn: the fork's next request begins an epoch without the words."""
    with chat.fork(id="b") as fork:
        chat.redact(chat.history()[0])
        assert fork.history()[0].text == "[redacted]"
        assert fork.plan("And now?").cut


def test_no_branch_goes_back_to_an_epoch_of_before(chat: Conversation, sim: Simulator) -> None:
    """Neither now nor behind later questions: an edit begins an epoch wherever its own would be older than the gap."""
    for number in range(3):
        chat.send(f"And what of door {number}?")
    question = chat.history()[-2]
    chat.redact(chat.history()[-4])
    assert chat.plan("And now?").cut
    chat.send("And now?")
    assert not chat.plan("And then?").cut
    reply = chat.edit(question, "And what of the last door?")
    assert reply.plan.cut and all(attempt.status == 200 for attempt in sim.messages)


def test_a_branch_without_the_turn_goes_on(chat: Conversation) -> None:
    """What was redacted behind the point where a branch left is nothing to that branch."""
    with chat.fork(id="b") as fork:
        fork.send("Hello from the fork.")
        chat.send("Only said here: rosewood.")
        chat.redact(chat.history()[-2])
        assert chat.plan("And now?").cut and not fork.plan("And now?").cut


@pytest.mark.parametrize("strategy", [ServerCompaction(), Summarised(inner=SteppedWindow(), ahead=False)], ids=repr)
def test_a_summary_that_is_being_made_does_not_keep_it(path: Path, sim: Simulator, strategy: Any) -> None:
    """What was read of a turn that is redacted meanwhile is thrown away: the words come back in no summary."""
    with (
        Conversation(
            path,
            id="a",
            client=sim.client(),
            clock=sim.clock.now,
            budget=1_200,
            keep=200,
            max_tokens=300,
            strategy=strategy,
        ) as chat,
        Conversation(path, id="a", client=sim.client()) as other,
    ):
        chat.send(f"The password of the cellar is {SECRET} 4471.")

        def meanwhile(body: Any) -> bool:
            if asks_for_summary(body):
                for turn in other.history():
                    if SECRET in turn.text:
                        lose_places(chat._store)  # or it would wait until the summary is made
                        other.redact(turn)
            return False

        sim.fail_next(Overloaded(), times=99, when=meanwhile)
        for number in range(9):
            chat.send(FILLER.format(number) * 6)
        chat.wait_for_background()
        assert other.history()[0].text == "[redacted]"
        with sqlite3.connect(path) as db:
            kept = db.execute("SELECT text, content, report FROM summaries").fetchall()
        db.close()
        assert kept and SECRET not in str(kept) and "redacted meanwhile" in str(kept)
        assert SECRET not in str(chat.plan("And now?").body)


def meanwhile(store: Store, happens: Callable[[], Any]) -> Store:
    """A store that has something happen just before a request is recorded."""

    @contextmanager
    def within(name: str, _: Any) -> Iterator[None]:
        if name == "requests.begin":
            happens()
        yield

    return around(store, within)


def test_what_was_planned_before_is_not_sent_after(chat: Conversation, path: Path, sim: Simulator) -> None:
    """A turn redacted between plan and request: it neither leaves nor comes back; sent again, all is well."""
    sent, store = len(sim.log), chat._store
    saying = [turn for turn in chat.history() if SECRET in turn.text]
    with Conversation(path, id="a", client=sim.client()) as other:

        def redact() -> None:
            lose_places(store)  # or it would wait until the request is answered
            for turn in saying:
                other.redact(turn)

        chat._store = meanwhile(store, redact)
        with pytest.raises(Conflict, match="redacted"):
            chat.send("What is the password of the cellar?")
        chat._store = store
        assert [attempt for attempt in sim.log[sent:] if attempt.path == "/v1/messages"] == []
        chat.send("What is the password of the cellar?")
        assert SECRET not in str(sim.messages[-1].body)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("behind", [False, True])
def test_a_piece_of_a_reply_that_paused_stays_a_pair_with_the_others(
    chat: Conversation, sim: Simulator, which: int, behind: bool
) -> None:
    """The server's calls and results keep their place as well, in whichever turn of the reply they stand."""
    sim.fail_next(Stopped(tokens=5, reason="pause_turn"))
    chat.send("What is written in the harbour ledger?")
    if behind:
        chat.send("And behind it?")
    pieces = [turn for turn in chat.history() if "web_search" in turn.content]
    chat.redact(pieces[which])
    assert check_request(chat.plan("And now?").body) == []
    assert chat.send("And now?").stop_reason == "end_turn"


def test_another_object_does_not_send_what_it_remembers(chat: Conversation, path: Path, sim: Simulator) -> None:
    """A conversation that was open meanwhile sends the gap, not the words it had in memory."""
    with Conversation(path, id="a", client=sim.client(), clock=sim.clock.now, budget=9_000) as other:
        other.plan("Is it there?")
        for turn in chat.history():
            if SECRET in turn.text:
                chat.redact(turn)
        assert SECRET not in str(other.plan("Is it there?").body)


def test_a_turn_of_any_branch_can_be_redacted_and_of_no_other_conversation(chat: Conversation, path: Path) -> None:
    """What was said before an edit leaves no word in the file; an unknown id, or one of a stranger's, is refused."""
    before = chat.history()
    chat.edit(before[0], "Let us begin anew.")
    saying = [turn for turn in before if SECRET in turn.text]
    assert saying and not {turn.id for turn in saying} & {turn.id for turn in chat.history()}
    with Conversation(path, id="stranger", client=Simulator().client()) as stranger:
        for unknown in (saying[0].id, 10_000):
            with pytest.raises(NotFound):
                stranger.redact(unknown)
    for turn in saying:
        chat.redact(turn)
    chat.close()
    assert all(SECRET.encode() not in one.read_bytes().lower() for one in path.parent.iterdir())
