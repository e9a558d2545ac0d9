"""Names of models: what is taken for a model of its own, what for a mistake, and how an undescribed one is used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import sash
from sash import AsyncConversation, Conversation, ModelCard
from sash.cli import main
from sash.counting.estimator import Estimator
from sash.errors import CallerError, UnknownModel
from sash.limits import Ceiling
from sash.model.cards import TABLE
from sash.model.names import misspelt
from sash.planning.routing import Router, Rule
from sash.simulator import Simulator

NOVA = "claude-nova-7"


@pytest.fixture
def nova() -> Simulator:
    """A Claude that serves a model which sash does not know."""
    return Simulator(
        cards={NOVA: ModelCard(id=NOVA, window=1_000_000, max_output=128_000, prices=(), cache_minimum=512)}
    )


@pytest.fixture
def chat(nova: Simulator, tmp_path: Path) -> Iterator[Conversation]:
    with Conversation(tmp_path / "chats.db", id="a", client=nova.client(), model=NOVA) as made:
        yield made


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("claude-sonet-5-5", "claude-sonnet-5-5"), ("claude-sonnet-5.5", "claude-sonnet-5-5"),
        ("claude-sonnet-55", "claude-sonnet-5-5"), ("claude-5-5-sonnet", "claude-sonnet-5-5"),
        ("Claude-Sonnet-5-5", "claude-sonnet-5-5"), ("claude_sonnet_5_5", "claude-sonnet-5-5"),
        ("sonnet-5-5", "claude-sonnet-5-5"), ("sonnet", "claude-sonnet-5-5"), ("claude-opsu-5-5", "claude-opus-5-5"),
        ("claude-hiaku-4-5", "claude-haiku-4-5"), ("cluade-fable-5", "claude-fable-5"),
        (" claude-opus-5 ", "claude-opus-5"),
        ("claude-sonet-5-5-20260928", "claude-sonnet-5-5"), ("claude-sonet-6", "claude-sonnet-6"),
        ("us.anthropic.claude-sonet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
    ],
)  # fmt: skip
def test_a_near_miss_names_the_model_that_is_meant(written: str, meant: str) -> None:
    """A known name misspelt, in another order, case or with other separators is an error that says which is meant."""
    with pytest.raises(UnknownModel, match=f"did you mean '{meant}'") as raised:
        sash.card(written)
    assert raised.value.meant == meant


@pytest.mark.parametrize(
    "name",
    ["claude-nova-7", "claude-sonnet-6", "claude-opus-5-6", "claude-opus-6-20270101", "claude-opus-5-5-fast", "gpt-7",
     "us.anthropic.claude-haiku-6-20270101-v1:0", "my-proxy/any:model", "claude-7-opus", "claude-2.1"],
)  # fmt: skip
def test_a_model_of_its_own_goes_on(name: str) -> None:
    """A family or a version that nobody knows gets the newest generation's features, and no prices."""
    card = sash.card(name)
    assert (card.id, card.supposed, card.prices, card.generation) == (name, True, (), "v5")


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-5-5-20260928",
        "anthropic/claude-sonnet-4.5",
        "claude-opus-4-5@20251101",
        "claude-sonnet-4-20250514",
    ],
)
def test_dated_and_platform_forms_of_a_known_model_take_its_card(name: str) -> None:
    """They have the known model's prices, under the id that was given."""
    card = sash.card(name)
    assert card.id == name
    assert card.prices
    assert not card.supposed


@given(st.sampled_from(sorted(TABLE)), st.data())
def test_no_slip_of_a_finger_in_a_family_passes_for_a_model(name: str, data: st.DataObject) -> None:
    """A letter left out, doubled or swapped with its neighbour in a family's name is told from a new family."""
    family = name.split("-")[1]
    at = data.draw(st.integers(0, len(family) - 2))
    left_out, doubled = family[:at] + family[at + 1 :], family[: at + 1] + family[at:]
    swapped = family[:at] + family[at + 1] + family[at] + family[at + 2 :]
    slip = data.draw(st.sampled_from(sorted({left_out, doubled, swapped} - {family})))
    assert misspelt(name.replace(family, slip), tuple(TABLE)) == name


@given(st.sampled_from(sorted({name.split("-")[1] for name in TABLE})), st.integers(6, 9), st.integers(0, 9))
def test_versions_to_come_are_no_mistakes(family: str, major: int, minor: int) -> None:
    """The next generations of a known family go on."""
    assert misspelt(f"claude-{family}-{major}", tuple(TABLE)) == ""
    assert misspelt(f"claude-{family}-{major}-{minor}", tuple(TABLE)) == ""


def test_an_undescribed_model_is_said_once(nova: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """In the log once a conversation, however it is named, and in one line of each plan."""
    with caplog.at_level(logging.WARNING, "sash"), Conversation(client=nova.client()) as chat:
        chat.send("Hello.")
        plans = [chat.send("Hello.", model=NOVA).plan, chat.send("Hello again.", model=NOVA).plan, chat.plan("And?")]
    assert [plan.explain().count(f"{NOVA} is not known") for plan in plans] == [1, 1, 1]
    assert len([record for record in caplog.records if f"{NOVA} is not known" in record.getMessage()]) == 1


def test_an_undescribed_model_is_used_and_its_cost_is_unknown(chat: Conversation, tmp_path: Path) -> None:
    """Replies come, the window cuts by fixed watermarks, and no number of dollars is made up, anywhere."""
    chat.budget, chat.keep = 1_200, 300
    replies = [chat.send(f"Crate {n} is blue. " * 12) for n in range(12)]
    assert any(reply.plan.cut for reply in replies[1:])
    assert "fixed limits decide" in replies[-1].plan.explain() and "price: unknown" in replies[-1].plan.explain()
    assert all(reply.cost is None and reply.plan.expected.dollars is None for reply in replies)
    assert chat.request(3).request.expected.dollars is None
    used = chat.usage()
    assert (used.dollars, used.unpriced, used.requests) == (0.0, 12, 12)
    shown = CliRunner().invoke(main, ["usage", str(tmp_path / "chats.db")]).output
    assert "unknown" in shown and "$0.0000" not in shown
    assert "unknown" in CliRunner().invoke(main, ["show", str(tmp_path / "chats.db")]).output


def test_counts_for_an_undescribed_model_have_a_wider_bound() -> None:
    """They are the newest generation's, with 15% more room above; a misspelt model is no model."""
    text = "The quick brown fox jumps over the lazy dog. " * 50
    known, guess = Estimator.for_model("claude-sonnet-5-5"), Estimator.for_model(NOVA)
    assert guess.text(text).tokens == known.text(text).tokens
    assert guess.text(text).upper - known.text(text).upper == pytest.approx(0.15 * known.text(text).tokens, abs=2)
    with pytest.raises(UnknownModel, match="claude-sonnet-5-5"):
        Estimator.for_model("claude-sonet-5-5")


def test_a_ceiling_of_dollars_refuses_a_model_without_prices(nova: Simulator, tmp_path: Path) -> None:
    """When the conversation is made, and when a send names the model: nothing is sent or written. Tokens are kept."""
    dollars = [Ceiling(dollars=1.0)]
    for settings in ({"model": NOVA}, {"fallback": [NOVA]}, {"router": Router([Rule(model=NOVA)])}):
        with pytest.raises(UnknownModel, match="prices are not known"):
            Conversation(tmp_path / "no.db", client=nova.client(), ceilings=dollars, **settings)
    assert not (tmp_path / "no.db").exists()
    with Conversation(tmp_path / "b.db", client=nova.client(), ceilings=dollars) as chat:
        with pytest.raises(UnknownModel, match="prices are not known"):
            chat.send("Hello.", model=NOVA)
        assert chat.history() == [] and nova.log == []
    with Conversation(tmp_path / "c.db", client=nova.client(), model=NOVA, ceilings=Ceiling(tokens=10**6)) as chat:
        assert chat.send("Hello.").text


def misspellings() -> list[Any]:
    wrong = "claude-sonet-5-5"
    return [
        pytest.param({"model": wrong}, id="model"),
        pytest.param({"fallback": [wrong]}, id="fallback"),
        pytest.param({"router": Router([Rule(model=wrong)])}, id="router"),
        pytest.param({"summarise": wrong}, id="summarise"),
    ]


@pytest.mark.parametrize("settings", misspellings())
def test_a_misspelt_model_is_an_error_wherever_it_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    """When the conversation is made, sync and async, before there is a file."""
    for make in (Conversation, AsyncConversation):
        with pytest.raises(UnknownModel, match="did you mean 'claude-sonnet-5-5'"):
            make(tmp_path / "no.db", client="simulator", **settings)
    assert not (tmp_path / "no.db").exists()


def test_a_misspelt_model_of_a_send_changes_nothing() -> None:
    """send, stream, run, plan, count and edit name the model that is meant; nothing is recorded or in force."""

    async def awaited() -> None:
        async with AsyncConversation(client="simulator") as chat:
            with pytest.raises(UnknownModel, match="claude-sonnet-5-5"):
                await chat.send("Hello.", model="claude-sonet-5-5")
            assert await chat.history() == []

    asyncio.run(awaited())
    with Conversation(client="simulator") as chat:
        for call in (chat.send, chat.plan, chat.count):
            with pytest.raises(UnknownModel, match="claude-sonnet-5-5"):
                call("Hello.", model="claude-sonet-5-5")
        with pytest.raises(UnknownModel), chat.stream("Hello.", model="claude-sonet-5-5"):
            pass
        assert chat.history() == [] and chat.model == "claude-sonnet-5-5"


@pytest.mark.parametrize(
    "command",
    [["chat", "DB", "--simulator"], ["count", __file__], ["replay", "synthetic:chatty"], ["doctor"]],
    ids=lambda command: command[0],
)
def test_the_command_line_names_the_model_that_is_meant(command: list[str], tmp_path: Path) -> None:
    """No traceback, no file."""
    arguments = [str(tmp_path / "no.db") if word == "DB" else word for word in command]
    result = CliRunner().invoke(main, [*arguments, "--model", "claude-sonet-5-5"])
    assert result.exit_code != 0
    assert "did you mean 'claude-sonnet-5-5'" in " ".join(result.output.split())
    assert not isinstance(result.exception, CallerError)
    assert not (tmp_path / "no.db").exists()


def test_a_replay_needs_prices() -> None:
    """What strategies cost cannot be told for a model without them."""
    result = CliRunner().invoke(main, ["replay", "synthetic:chatty", "--model", NOVA])
    assert result.exit_code != 0
    assert "no prices are known for 'claude-nova-7'" in " ".join(result.output.split())
