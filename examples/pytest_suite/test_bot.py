"""The bot's tests: on a simulated Claude, on a clock that they turn, without key, network or cost.

pytest examples/pytest_suite
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bot import BakeryBot

from sash import Conversation
from sash.simulator import Overloaded, Rule, Rules
from sash.simulator.testing import SimulatedClaude

ORDERS = {4711: "It is in the oven."}


@pytest.fixture
def bot(claude: SimulatedClaude) -> BakeryBot:
    return BakeryBot(ORDERS, client=claude.client(max_retries=0), clock=claude.clock.now)


def test_it_looks_orders_up(bot: BakeryBot, claude: SimulatedClaude) -> None:
    """The tool is called with the customer's number, and its answer is told."""
    assert "in the oven" in bot.answer("Please check order_status of order 4711.")
    claude.assert_legal()


def test_an_order_that_does_not_exist_is_no_crash(bot: BakeryBot) -> None:
    """What the tool raises goes to Claude as an error, and the conversation goes on."""
    assert bot.answer("Please check order_status of order 12.")
    assert bot.answer("Thank you.")


def test_it_remembers_over_a_long_talk(bot: BakeryBot, claude: SimulatedClaude) -> None:
    """What was said first is in the request that asks for it, within a small budget."""
    bot.chat.budget, bot.chat.keep = 3_000, 500
    bot.answer("My name is Ann Baker.")
    for n in range(20):
        bot.answer(f"Cake {n} is for table {n * 7}. " + "Please write that down. " * 20)
    assert "Ann Baker" in bot.answer("What is my name?")
    claude.assert_sent("Ann Baker")
    claude.assert_cost(below=0.20)


def test_an_overload_is_told_kindly_and_the_next_try_works(bot: BakeryBot, claude: SimulatedClaude) -> None:
    """A failure is no traceback for the customer, and leaves nothing behind that breaks the next question."""
    claude.fail_next(Overloaded())
    assert "busy" in bot.answer("Hello!")
    assert "busy" not in bot.answer("Hello!")
    claude.assert_legal()


def test_it_stops_at_its_ceiling(claude: SimulatedClaude) -> None:
    """No conversation costs more than it may; the customer gets a number to call."""
    bot = BakeryBot(ORDERS, dollars=0.03, client=claude.client(), clock=claude.clock.now)
    told = [bot.answer(f"Number {n}. " + "And so on. " * 300) for n in range(20)]
    assert "555-0147" in told[-1]
    claude.assert_cost(below=0.03)


def test_what_claude_says_can_be_scripted(bot: BakeryBot, claude: SimulatedClaude) -> None:
    """A rule answers for Claude, where a test is about what comes after."""
    claude.script(Rules([Rule(text="sunday", reply="We are closed on Sundays.")]))
    assert bot.answer("Are you open on Sunday?") == "We are closed on Sundays."


def test_a_customer_comes_back_after_a_restart(sash_conversation: Callable[..., Conversation], tmp_path: Path) -> None:
    """The file is the memory: another process goes on with it."""
    settings: dict[str, Any] = {"store": tmp_path / "bakery.db", "id": "ann"}
    sash_conversation(**settings).send("My order is 4711.")
    assert "4711" in sash_conversation(**settings).send("What was my order?").text
