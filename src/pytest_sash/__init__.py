"""Fixtures for tests of bots, installed with sash: `claude`, `claude_server` and `sash_conversation`.

    def test_the_bot_remembers(claude, sash_conversation):
        chat = sash_conversation(budget=4_000)
        chat.send("My order is 4711.")
        claude.assert_cost(below=0.01)

pytest reads this module at every start, so it imports nothing of sash: a fixture loads what it needs when a test asks
for it. `-p no:pytest_sash` leaves it out; a fixture of one's own with the same name takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sash import Conversation
    from sash.simulator.testing import SimulatedClaude


@pytest.fixture
def claude() -> Iterator[SimulatedClaude]:
    """A simulated Claude of this test's own, on a turned clock: see `sash.simulator.testing`."""
    made = _load_claude()
    yield made
    made.close()


@pytest.fixture
def claude_server(claude: SimulatedClaude, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of `claude` on loopback, for bots that make their own client: the environment names it.

    `ANTHROPIC_BASE_URL` and `ANTHROPIC_API_KEY` are set for the length of the test, for other processes, too.
    """
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "simulated")
    return claude.url


@pytest.fixture
def sash_conversation(claude: SimulatedClaude) -> Iterator[Callable[..., Conversation]]:
    """Makes conversations with `claude`, on its clock, in memory unless told otherwise; they are closed in the end.

    It takes what `sash.Conversation` takes: `sash_conversation("chats.db", id="a", budget=4_000)`.
    """
    conversation = _load_conversation()
    made: list[Conversation] = []

    def make(*store: Any, **options: Any) -> Conversation:
        defaults = {"client": claude.client(max_retries=0), "clock": claude.clock.now}
        made.append(conversation(*store, **{**defaults, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _load_claude() -> SimulatedClaude:
    from sash.simulator.testing import SimulatedClaude  # noqa: PLC0415 - see above

    return SimulatedClaude()


def _load_conversation() -> type[Conversation]:
    from sash import Conversation  # noqa: PLC0415 - see above

    return Conversation
