"""Work beside a conversation: one at a time, waited for on demand, left behind when closing."""

from __future__ import annotations

import asyncio
import threading

import pytest

import sash.conversation.background
from sash import Conversation, Recall
from sash.conversation.async_background import AsyncBackground
from sash.conversation.background import Background
from sash.errors import StoreUnavailable


def test_one_thing_at_a_time() -> None:
    """What comes while something is running is not begun."""
    background, go, done = Background("x"), threading.Event(), []
    background.start(lambda: (go.wait(), done.append(1)))  # type: ignore[func-returns-value]
    background.start(lambda: done.append(2))
    go.set()
    background.wait()
    assert done == [1]
    background.start(lambda: done.append(3))
    background.wait()
    assert done == [1, 3]


def test_failures_of_the_record_are_logged_and_bugs_raised(caplog: pytest.LogCaptureFixture) -> None:
    """Without a word of any message; a bug is raised once, by whoever settles."""
    background = Background("x")

    def unavailable() -> None:
        raise StoreUnavailable("secret text", path="x")

    background.start(unavailable)
    background.wait()
    assert "StoreUnavailable" in caplog.text
    assert "secret" not in caplog.text
    background.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        background.wait()
    background.wait()


def test_what_was_left_behind_says_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing right after a send, while vectors are made: that the record was closed meanwhile is no news."""
    monkeypatch.setattr(sash.conversation.background, "PATIENCE", 0.0)
    caplog.set_level("DEBUG", logger="sash")
    begun, go = threading.Event(), threading.Event()

    class Slow:
        name = "slow"

        def embed(self, texts: list[str], /) -> list[list[float]]:
            """The same for all, once it may."""
            begun.set()
            go.wait()
            return [[1.0] for _ in texts]

    chat = Conversation(None, client="simulator", recall=Recall(semantic=Slow()))
    while not begun.is_set():
        chat.send("The mill stands by the water.")
    chat.close()
    go.set()
    chat.wait_for_background()
    assert caplog.text == ""


def test_settling_from_the_work_itself_does_not_wait_for_itself() -> None:
    """A summary that is made in the background never waits for itself."""
    background = Background("x")
    background.start(background.wait)
    background.wait()
    background.stop()


def test_tasks_do_the_same() -> None:
    """Begun once, settled, cancelled when closing."""
    asyncio.run(_tasks())


async def _tasks() -> None:
    background, done = AsyncBackground("x"), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    async def bug() -> None:
        raise ZeroDivisionError

    background.start(work)
    background.start(work)
    await background.wait()
    assert done == [1]
    background.start(bug)
    with pytest.raises(ZeroDivisionError):
        await background.wait()
    await background.wait()
    await background.stop()
