"""What strategies say of themselves: looked up in one place, kept by whatever stands around them."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import sash
from sash import ClearedTools, Conversation, Everything, ServerCompaction, Summarised, card
from sash.flows.request.attach import _Settled
from sash.flows.request.exact_count import KeepView
from sash.flows.request.mends import Shorter
from sash.planning.situation import Decision, Situation
from sash.planning.strategies.base import Around, Guise, WithTraits
from sash.planning.traits import Traits, traits
from sash.simulator import Simulator
from strategies import WINDOWS

SAYING: dict[str, Any] = {
    **WINDOWS,
    "summarised everything": Summarised(inner=Everything()),
    "cleared everything": ClearedTools(inner=Everything()),
    "summarised cleared": Summarised(inner=ClearedTools()),
    "compacted cleared": ServerCompaction(inner=ClearedTools()),
}
GUISES: dict[str, Any] = {
    "stay": KeepView,
    "shorter": Shorter,
    "settled": lambda inner: _Settled(inner, Decision(first_exchange=0, rule="first", reason="")),
}


class Plain:
    """A strategy of a user's: `decide` and nothing else."""

    def decide(self, situation: Situation) -> Decision:
        """Everything."""
        return Decision(
            first_exchange=0, rule="stay" if situation.first_exchange is not None else "first", reason="all of it"
        )


class Wrapper(Plain):
    """A user's strategy around another, that says nothing of traits."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def test_an_object_that_only_decides_has_the_defaults_and_works() -> None:
    """Nothing need be inherited."""
    assert traits(Plain()) == Traits()
    with Conversation(client="simulator", strategy=Plain()) as chat:
        chat.send("Hello")
        assert chat.send("And now?").plan is not None


@pytest.mark.parametrize("name", sorted(SAYING))
def test_what_stands_around_a_strategy_has_its_traits(name: str) -> None:
    """In sash's own guises and in a wrapper of a user's."""
    strategy = SAYING[name]
    for around in (*GUISES.values(), Wrapper):
        told = traits(around(strategy))
        assert replace(told, keeps_view=False) == traits(strategy)
        assert told.keeps_view == (around is KeepView)


@pytest.mark.parametrize("name", sorted(SAYING))
def test_a_guise_bears_the_name_of_what_it_is_around(name: str) -> None:
    """The record names the strategy that the user chose."""
    assert {repr(guise(SAYING[name])) for guise in GUISES.values()} == {repr(SAYING[name])}


def test_every_strategy_of_sash_stands_on_the_base() -> None:
    """Whatever decides in the house inherits the defaults; whatever has an inner one, the wrapper of the house."""
    kinds: list[type] = [*map(type, SAYING.values()), KeepView, Shorter, _Settled]
    assert all(issubclass(kind, WithTraits) for kind in kinds)
    assert {kind for kind in kinds if issubclass(kind, Around)} == {
        kind for kind in kinds if "inner" in {one.name for one in fields(kind)}
    }
    assert all(issubclass(kind, Guise) for kind in (KeepView, Shorter, _Settled))
    assert {trait.name for trait in fields(Traits)} == {name for name in vars(WithTraits) if not name.startswith("_")}
    deciding = {
        node.name
        for path in Path(sash.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(one, "name", "") == "decide" for one in node.body)
    }
    assert deciding == {kind.__name__ for kind in kinds} | {"Strategy"}


def test_traits_are_looked_up_in_one_place() -> None:
    """Nobody else asks a strategy for an attribute of that name by its name."""
    names = {trait.name for trait in fields(Traits)}
    asking = {
        path.name
        for path in Path(sash.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
        if any(isinstance(value, ast.Constant) and value.value in names for value in node.args)
    }
    assert asking == set()


@pytest.mark.parametrize("strategy", [Everything(), ClearedTools(inner=Everything())], ids=repr)
def test_a_budget_that_is_ignored_stops_nothing_near_the_window(strategy: Any) -> None:
    """Where the endpoint is asked whether the view may stay, a strategy that ignores the budget still ignores it."""
    small, sim = replace(card("claude-sonnet-5-5"), window=6_000), Simulator()
    with Conversation(client=sim.client(), card=small, strategy=strategy, budget=1_500, max_tokens=1_000) as chat:
        for _ in range(2):
            chat.send("Please write this down, it matters for the bakery. " * 60)
        assert chat.send("walnut cake hazelnut " * 298).stop_reason == "end_turn"
    asked = [attempt.path for attempt in sim.log].count("/v1/messages/count_tokens")
    assert asked or find_spec("ctok") is None  # it lay in doubt: the text was chosen by that tokenizer's counts
