"""Whose a conversation is, in every store: said once, listed by, and forgotten whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation, SqliteStore
from sash.errors import InvalidOption, NotFound
from sash.model.memory_files import memory_path
from sash.simulator import Simulator


def talk(store: Any, id: str, *said: str, user: str | None = None, namespace: str = "") -> None:
    """Say something in a conversation."""
    with Conversation(store, id=id, user=user, namespace=namespace, client="simulator") as chat:
        for text in said:
            chat.send(text)


def names(found: Iterable[Any]) -> set[str]:
    """The ids of listed conversations."""
    return {info.id for info in found}


def test_a_conversation_keeps_its_user(store: Any) -> None:
    """What was said when it began is known when it is opened without; another user is refused, and nothing changes."""
    talk(store, "a", "Hello", user="ann")
    with Conversation(store, id="a", client="simulator") as chat:
        assert chat.user == "ann"
    with pytest.raises(InvalidOption, match="belongs to another user") as caught:
        Conversation(store, id="a", user="bob", client="simulator")
    assert "ann" not in str(caught.value)
    assert store.describe("a").user == "ann"


def test_a_conversation_of_nobody_becomes_the_users(store: Any) -> None:
    """What was begun without a user is theirs from the first time that one is named; a fork is its parent's user's."""
    talk(store, "a", "Hello")
    talk(store, "a", user="ann")
    with Conversation(store, id="a", client="simulator") as chat, chat.fork(id="b") as fork:
        assert (chat.user, fork.user) == ("ann", "ann")
    assert {info.user for info in store.conversations()} == {"ann"}


def test_listings_search_and_usage_know_users(store: Any) -> None:
    """Each of them can be asked for one user, and usage grouped by user; a tenant's ann is not another's."""
    talk(store, "a", "pelican one", user="ann")
    talk(store, "b", "pelican two", user="bob")
    talk(store, "c", "pelican three")
    talk(store, "d", "pelican four", user="ann", namespace="elsewhere")
    assert names(store.conversations(user="ann")) == {"a"}
    assert names(store.conversations(user="")) == {"c"}
    assert {hit.conversation for hit in store.search("pelican", user="bob")} == {"b"}
    assert {row.group[0] for row in store.usage(by=("user",))} == {"ann", "bob", ""}
    assert [row.requests for row in store.usage(by=(), user="ann")] == [1]


@pytest.mark.parametrize("user", ["", " ", 7, "a\nb", "\u200d", "\u202eann"])
def test_a_user_without_a_name_is_refused(user: Any, tmp_path: Path) -> None:
    """Nothing is opened for nobody."""
    with pytest.raises(InvalidOption, match="user="):
        Conversation(tmp_path / "a.db", user=user, client="simulator")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "user", ["\N{WOMAN}\u200d\N{ROCKET}", "\u0645\u06cc\u200c\u0631\u0648\u062f", 'O\'Brien "x" %']
)
def test_a_name_of_joined_signs_is_a_name(store: Any, user: str) -> None:
    """Emoji and letters that a joiner holds together name users, and their files, as any others do."""
    with Conversation(store, id="a", user=user, client="simulator") as chat:
        chat.send("I live in Haarlem.")
        assert [entry.text for entry in chat.profile.entries()] == ["I live in Haarlem."]
    assert memory_path(f"/memories/{user}") == f"/memories/{user}"
    assert store.forget_user(user).conversations == 1


def test_forgetting_a_user_leaves_others(store: Any) -> None:
    """Conversations and files of the user go, with what was made of them; what they cost stays in the sums."""
    talk(store, "a", "My cat is called Quixote.", user="ann")
    talk(store, "b", "My dog is called Rocinante.", user="bob")
    talk(store, "c", "My mule is called Dapple.", user="ann", namespace="elsewhere")
    for user in ("ann", "bob"):
        store.memory_files.change(lambda folder: folder.write("/memories/a", "x"), user=user, at=0.0)
    spent = [row.requests for row in store.usage(by=())]
    done = store.forget_user("ann", reason="asked for")
    assert (done.conversations, done.turns, done.files) == (1, 2, 1)
    assert names(store.conversations()) == {"b"} and names(store.conversations(namespace="elsewhere")) == {"c"}
    assert store.search("Quixote") == [] and store.search("Rocinante")
    assert store.memory_files.users() == {"bob": 1}
    assert [row.requests for row in store.usage(by=())] == spent
    with pytest.raises(NotFound, match="ann"):
        store.forget_user("ann")


def test_a_fork_of_another_user_keeps_the_past_it_shares(store: Any) -> None:
    """What bob's fork shows stays bob's."""
    talk(store, "a", "Once upon a time.", user="ann")
    with Conversation(store, id="a", client="simulator") as chat, chat.fork(id="b"):
        pass
    with store.database.writing() as db:
        db.execute("UPDATE conversations SET owner = 'bob' WHERE name = 'b'")
    store.forget_user("ann")
    with Conversation(store, id="b", client="simulator") as chat:
        assert [turn.text for turn in chat.history()][:1] == ["Once upon a time."]


def test_no_byte_of_a_forgotten_user_is_left(tmp_path: Path) -> None:
    """Neither words, files, summaries and quotes nor the name stand anywhere in the file or beside it."""
    path, sim = tmp_path / "a.db", Simulator()
    store = SqliteStore(path)
    talk(store, "others", "Nothing of note.", user="bob")
    with Conversation(
        store, id="of-zenobia", user="zenobia", client=sim.client(), budget=3_000, keep=500, recall=True, summarise=True
    ) as chat:
        for number in range(12):
            chat.send(f"Remark {number}: the quincunx of my garden has {number} pots. " + "More of it. " * 40)
        chat.send("How many pots had the quincunx in remark 3?")
        chat.wait_for_background()
    store.memory_files.change(lambda folder: folder.write("/memories/a", "quincunx"), user="zenobia", at=0.0)
    store.memory_files.change(lambda folder: folder.write("/memories/a", None), user="zenobia", at=0.0)
    store.forget_user("zenobia", reason="by letter")
    store.close()
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"quincunx" not in left and b"zenobia" not in left and b"Nothing of note." in left


WRONG = [
    ("conversations", (), {"namespace": 3}),
    ("conversations", (), {"user": 3}),
    ("conversations", (), {"limit": "x"}),
    ("conversations", (), {"limit": -1}),
    ("conversations", (), {"before": "x"}),
    ("describe", (3,), {}),
    ("search", (3,), {}),
    ("search", ("x",), {"limit": "x"}),
    ("search", ("x",), {"conversation": 3}),
    ("usage", (), {"by": 3}),
    ("usage", (), {"user": 3}),
    ("cuts", (), {"namespace": None}),
    ("delete", ("a",), {"reason": 3}),
    ("delete", (3,), {}),
    ("forget_user", ("ann",), {"reason": 3}),
    ("forget_user", ("ann",), {"namespace": 3}),
    ("forget_user", (3,), {}),
    ("profile", ("ann",), {"namespace": 3}),
]


@pytest.mark.parametrize(("call", "given", "named"), WRONG)
def test_what_a_store_cannot_be_asked_is_named(store: Any, call: str, given: Any, named: dict[str, Any]) -> None:
    """An argument of the wrong kind is an error of ours with its name, its value and the remedy; nothing is lost."""
    with Conversation(store, id="a", user="ann", client="simulator") as chat:
        chat.send("I live in Haarlem.")
    with pytest.raises(InvalidOption, match="give") as refused:
        getattr(store, call)(*given, **named)
    wrong = next(iter(named.values()), given[0] if given else None)
    assert repr(wrong) in str(refused.value)
    assert [one.id for one in store.conversations(user="ann")] == ["a"] and store.profile("ann").entries()


@pytest.mark.parametrize(("call", "named"), [("files", {"user": 3}), ("users", {"namespace": 3})])
def test_what_memory_files_cannot_be_asked_is_named(store: Any, call: str, named: dict[str, Any]) -> None:
    """The same, of the files that Claude keeps."""
    with pytest.raises(InvalidOption, match="=3: give a string"):
        getattr(store.memory_files, call)(**named)
