"""Profiles in every store: read from what a user said anywhere, newest wins, history stays, walls hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sash import AsyncConversation, Conversation
from sash.errors import InvalidOption, NotFound
from sash.simulator import Simulator


def talk(store: Any, id: str, *said: str, user: str | None = "ann", namespace: str = "", at: float = 0.0) -> None:
    """Say something in a conversation."""
    sim = Simulator()
    with Conversation(
        store, id=id, user=user, namespace=namespace, client=sim.client(), clock=lambda: 1_790_000_000.0 + at
    ) as chat:
        for text in said:
            chat.send(text)


def texts(entries: Any) -> list[str]:
    """What entries say."""
    return [entry.text for entry in entries]


def test_what_was_said_in_any_conversation_is_known(store: Any) -> None:
    """Statements of all conversations of the user, with the turns they were said in; nothing of others."""
    talk(store, "a", "I live in Haarlem. What a day!", "How are you?")
    talk(store, "b", "I'm allergic to walnuts.", at=60)
    talk(store, "c", "I live in Rome.", user="bob", at=90)
    talk(store, "d", "I live in Oslo.", namespace="elsewhere", at=90)
    entries = store.profile("ann").entries()
    assert [(entry.kind, entry.text) for entry in entries] == [
        ("preference", "I'm allergic to walnuts."),
        ("fact", "I live in Haarlem."),
    ]
    assert all(len(entry.sources) == 1 and entry.by == "rules" for entry in entries)
    assert texts(store.profile("ann", namespace="elsewhere").entries()) == ["I live in Oslo."]


def test_the_newest_word_holds_and_the_older_one_stays_readable(store: Any) -> None:
    """Also where the older one is read later; said again, an entry gains a source."""
    talk(store, "b", "We moved to Utrecht.", at=60)
    assert texts(store.profile("ann").entries()) == ["We moved to Utrecht."]
    talk(store, "a", "I live in Haarlem.", at=0)
    talk(store, "c", "we moved to Utrecht!", at=120)
    (entry,) = store.profile("ann").entries()
    assert (entry.text, len(entry.sources)) == ("We moved to Utrecht.", 2)
    assert [(one.text, one.ended) for one in store.profile("ann").history()][1:] == [
        ("I live in Haarlem.", "superseded")
    ]


def test_it_is_edited_by_hand(store: Any) -> None:
    """What is set holds, what is removed does not and is not learned again from the same words."""
    talk(store, "a", "I live in Haarlem.")
    profile = store.profile("ann")
    profile.set("Lives in Utrecht.", topic="home")
    assert texts(profile.entries()) == ["Lives in Utrecht."]
    profile.remove(profile.entries()[0])
    assert texts(profile.entries()) == [] and {one.ended for one in profile.history()} == {"removed", "superseded"}
    talk(store, "b", "I live in Haarlem.", at=60)
    assert texts(profile.entries()) == ["I live in Haarlem."]


def test_what_was_said_before_the_user_was_named_is_read(store: Any) -> None:
    """A conversation of nobody that becomes the user's is read from its beginning."""
    talk(store, "a", "I live in Haarlem.", user=None)
    talk(store, "b", "I love hiking.", at=60)
    assert texts(store.profile("ann").entries()) == ["I love hiking."]
    Conversation(store, id="a", user="ann", client="simulator").close()
    assert sorted(texts(store.profile("ann").entries())) == ["I live in Haarlem.", "I love hiking."]


def test_redaction_and_deletion_reach_it(store: Any) -> None:
    """A redacted turn's entry loses its words, a deleted conversation's go, and with the user all of it."""
    talk(store, "a", "I live in Haarlem.")
    talk(store, "b", "I love hiking.", at=60)
    talk(store, "c", "My name is Ann.", at=90)
    assert len(store.profile("ann").entries()) == 3
    with Conversation(store, id="a", client="simulator") as chat:
        chat.redact(chat.history()[0])
    store.delete("b")
    assert texts(store.profile("ann").entries()) == ["My name is Ann."]
    assert [(one.text, one.ended) for one in store.profile("ann").history()][1:] == [("", "redacted")]
    store.profile("ann").set("Left-handed.")
    assert store.forget_user("ann").entries == 3
    assert store.profile("ann").history() == []


def test_both_faces_have_it(store: Any) -> None:
    """A conversation's profile is its user's; a conversation of nobody has none, and says what to do."""
    talk(store, "a", "I live in Haarlem.")

    async def asked() -> list[str]:
        async with AsyncConversation(store, id="a", client=Simulator().async_client()) as chat:
            await chat.profile.set("Left-handed.")
            entries = await chat.profile.entries()
            await chat.profile.remove(entries[0])
            return texts(await chat.profile.history())

    assert asyncio.run(asked()) == ["Left-handed.", "I live in Haarlem."]
    with Conversation(store, id="a", client="simulator") as chat:
        assert texts(chat.profile.entries()) == ["I live in Haarlem."]
    with Conversation(store, id="z", client="simulator") as chat:
        with pytest.raises(InvalidOption, match="user="):
            chat.profile.entries()
        with pytest.raises(InvalidOption, match="user="):
            chat.profile_tool()


def test_claude_keeps_it_for_the_user(store: Any) -> None:
    """By the tool, in the user's own words: told, added to, forgotten; a wrong number is an error result."""
    sim = Simulator()
    talk(store, "a", "I live in Haarlem.")
    number = store.profile("ann").entries()[0].id
    calls = [{"action": "list"}, {"action": "remember", "text": "Left-handed."}, {"action": "forget", "entry": number}]
    sim.script(
        [
            [
                {"type": "tool_use", "id": f"t{place}", "name": "user_profile", "input": given}
                for place, given in enumerate([*calls, {"action": "forget", "entry": 999}])
            ]
        ]
    )
    with Conversation(store, id="a", client=sim.client()) as chat:
        chat.run("Forget where I live.", tools=[chat.profile_tool()])
        results = [(block["content"], block.get("is_error", False)) for block in chat.history()[-2].blocks]
    assert "I live in Haarlem." in results[0][0] and results[3][1] and not results[2][1]
    assert texts(store.profile("ann").entries()) == ["Left-handed."]


@pytest.mark.parametrize("wrong", [{"text": ""}, {"text": "x" * 401}, {"kind": "secret"}, {"topic": 3}, {"text": 5}])
def test_what_cannot_be_an_entry_is_refused(store: Any, wrong: dict[str, Any]) -> None:
    """By name and remedy; nothing is written."""
    given = {"text": "Left-handed.", **wrong}
    with pytest.raises(InvalidOption, match="give"):
        store.profile("ann").set(given.pop("text"), **given)
    with pytest.raises(NotFound):
        store.profile("ann").remove(7)
    assert store.profile("ann").history() == []


@pytest.mark.parametrize("user", ["", None, 4])
def test_a_profile_of_nobody_is_refused(store: Any, user: Any) -> None:
    """It names the value."""
    with pytest.raises(InvalidOption, match="user="):
        store.profile(user)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**70])
def test_a_number_that_no_database_holds_is_named(store: Any, number: int) -> None:
    """Wherever an id is asked for, an error of ours says what is wrong, and the conversation goes on."""
    with Conversation(store, id="a", user="ann", client="simulator") as chat:
        chat.send("I live in Haarlem.")
        asked: list[Callable[[int], object]] = [chat.request, chat.pin, chat.redact, chat.profile.remove]
        for ask in asked:
            with pytest.raises((InvalidOption, NotFound), match=str(number)[:15]):
                ask(number)
        assert chat.send("And where do I live?").text


def test_half_a_character_is_named(store: Any) -> None:
    """Whether it is a statement, a topic or a user that is asked for; nothing is written."""
    talk(store, "a", "I live in Haarlem.")
    before = store.profile("ann").history()
    asked: list[Callable[[], object]] = [
        lambda: store.profile("ann").set("Half: \ud800"),
        lambda: store.profile("ann").set("Whole.", topic="\ud800"),
        lambda: store.conversations(user="\ud800"),
        lambda: store.search("Haarlem", user="\ud800"),
        lambda: store.memory_files.files(user="\ud800"),
    ]
    for ask in asked:
        with pytest.raises(InvalidOption, match="ud800"):
            ask()
    assert store.profile("ann").history() == before


@pytest.mark.parametrize("how", ["redact", "delete"])
def test_what_was_ended_by_forgotten_words_holds_again(store: Any, how: str) -> None:
    """Who moved to Utrecht, and has that forgotten, lives in Haarlem again; what a third word ended stays ended."""
    talk(store, "a", "I live in Haarlem.")
    talk(store, "b", "We moved to Utrecht.", at=60)
    profile = store.profile("ann")
    assert texts(profile.entries()) == ["We moved to Utrecht."]
    forget(store, "b", how)
    assert texts(profile.entries()) == ["I live in Haarlem."]
    talk(store, "c", "We moved to Leiden.", at=120)
    talk(store, "d", "We moved to Delft.", at=180)
    assert texts(profile.entries()) == ["We moved to Delft."]
    forget(store, "c", how)
    assert texts(profile.entries()) == ["We moved to Delft."]
    forget(store, "d", how)
    assert texts(profile.entries()) == ["I live in Haarlem."]


def test_what_was_removed_by_hand_revives_nothing(store: Any) -> None:
    """Its words may be redacted later: what it had ended stays ended."""
    talk(store, "a", "I live in Haarlem.")
    talk(store, "b", "We moved to Utrecht.", at=60)
    profile = store.profile("ann")
    profile.remove(profile.entries()[0])
    forget(store, "b", "redact")
    assert texts(profile.entries()) == []


def test_one_word_may_end_several(store: Any) -> None:
    """All of them hold again once it is forgotten."""
    talk(store, "a", "I have a dog. My dog's name is Rex.")
    talk(store, "b", "My dog died.", at=60)
    assert texts(store.profile("ann").entries()) == ["My dog died."]
    assert texts(store.profile("ann").as_read()) == ["My dog died."]
    forget(store, "b", "redact")
    assert sorted(texts(store.profile("ann").entries())) == ["I have a dog.", "My dog's name is Rex."]


def forget(store: Any, id: str, how: str) -> None:
    """Have a conversation's first turn, or all of it, forgotten."""
    if how == "delete":
        store.delete(id)
        return
    with Conversation(store, id=id, client="simulator") as chat:
        chat.redact(chat.history()[0])


def test_a_plan_reads_what_the_record_will_hold(store: Any) -> None:
    """What is not kept yet counts for a plan as it will when it is."""
    talk(store, "a", "I live in Haarlem. My dog is called Rex. Always answer in French. I'm scared of lifts.")
    store.profile("ann").catch_up()
    talk(store, "b", "My dog died. We moved to Utrecht. i live in Haarlem! I'm scared of lifts and stairs.", at=60)
    read = store.profile("ann").as_read()
    assert sorted(texts(read)) == sorted(texts(store.profile("ann").entries()))


def test_every_store_knows_what_a_model_has_read(store: Any) -> None:
    """Taken by one at a time, each turn once; what it found is kept with what it cost."""
    said = "My knees ache on stairs. " + "The weather is nice. " * 399 + "Yes."
    sim = Simulator()
    with Conversation(store, id="a", user="ann", memory="full", client=sim.client()) as chat:
        chat.send(said)
        chat.wait_for_background()
    (entry,) = store.profile("ann").entries()
    assert (entry.text, entry.by) == ("My knees ache on stairs.", "model")
    assert {row.group[0] for row in store.usage(by=("model",), user="ann")} > {"claude-haiku-5-5"}
    talk(store, "b", said, at=60)
    asked = {"user": "ann", "namespace": "", "least": 0, "most": 9, "at": 0.0}
    task = store.distillings.begin(until=100.0, **asked)
    assert [turn.text for turn in task.turns] == [said.strip()]
    assert store.distillings.begin(until=100.0, **asked) is None
    store.distillings.fail(task, error="Overloaded", retry_at=50.0)
    assert store.distillings.begin(until=100.0, **asked) is None
    again = store.distillings.begin(until=100.0, **{**asked, "at": 50.0})
    assert (again.failures, again.turns) == (1, task.turns) and again.token != task.token
    assert store.forget_user("ann").conversations == 2 and store.profile("ann").history() == []
