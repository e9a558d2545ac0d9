"""What is compared: strategies, and whatever else a conversation can be told to remember by.

A strategy decides on sizes alone, so a trace does for it. What recalls or summarises needs words. Nothing runs here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sash.conversation.memory import MODES
from sash.errors import InvalidOption
from sash.planning.situation import Marks, Strategy
from sash.planning.strategies import ClearedTools, Economic, Everything, SlidingWindow, SteppedWindow
from sash.planning.traits import check_strategy, part, traits
from sash.recall import Recall

USUAL: tuple[Strategy, ...] = (Economic(), SteppedWindow(), SlidingWindow(), Everything())
"""What is compared where nothing is named."""
TAKEN = {"strategy", "keep", "memory", "recall", "summarise", "cache", "max_result"}
"""Arguments of `Conversation` that a contender may set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A strategy in a comparison, or further arguments of `Conversation`."""

    strategy: Strategy | None = None
    """None: that of `settings`"""
    marks: Marks | None = None
    """for strategies that choose none; None: the usual ones"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """arguments of `Conversation`, such as memory, recall, summarise; memory is "none" where they do not say"""

    @property
    def label(self) -> str:
        """Its row label: the strategy's repr, the marks it was given, the settings."""
        parts = [repr(self.strategy)] if self.strategy is not None else []
        parts += [f"tail {self.marks.tail or 'unmarked'}"] if self.marks is not None else []
        return ", ".join([*parts, *(f"{name}={_shown(value)}" for name, value in self.settings.items())])

    @property
    def needs_words(self) -> bool:
        """Whether sizes alone do not tell what it would do."""
        has = traits(self.strategy)
        return bool(self.settings) or has.summarises or part(self.strategy, ClearedTools) is not None

    @property
    def ignores_budget(self) -> bool:
        """Whether it may send all that fits the model's window."""
        return traits(self.strategy or self.settings.get("strategy")).ignores_budget

    def arguments(self) -> dict[str, Any]:
        """What a conversation is opened with."""
        named = {"strategy": self.strategy, "cache": self.marks}
        return {"memory": "none", **{name: one for name, one in named.items() if one is not None}, **self.settings}


def _shown(value: Any) -> str:
    """A repr without the settings that are as usual: `Recall(tokens=500)`."""
    if not isinstance(value, Recall):
        return repr(value)
    usual = {field.name: field.default for field in fields(value)}
    said = [f"{name}={given!r}" for name in usual if (given := getattr(value, name)) != usual[name]]
    return f"Recall({', '.join(said)})"


def contender(given: Any) -> Contender:
    """What somebody wants compared: a strategy, a word of `memory=`, a `Recall`, or arguments of `Conversation`.

    Raises InvalidOption for anything else.
    """
    if isinstance(given, Contender):
        return given
    if isinstance(given, str) and given in MODES:
        return Contender(settings={"memory": given})
    if isinstance(given, Recall):
        return Contender(settings={"recall": given})
    if isinstance(given, Mapping):
        return _set(given)
    if isinstance(given, str):
        raise InvalidOption(
            f"strategies: {given!r:.60} is no word of memory=; they are {', '.join(MODES)}. A strategy is an object, "
            "as SlidingWindow(turns=10)",
            option="strategies",
            value=given,
        )
    check_strategy(given, "strategies")
    return Contender(strategy=given)


def _set(given: Mapping[str, Any]) -> Contender:
    unknown = sorted(set(given) - TAKEN)
    if unknown or not given:
        raise InvalidOption(
            f"strategies: {dict(given)!r:.80} sets {unknown[0] if unknown else 'nothing'!r}; a row may set "
            f"{', '.join(sorted(TAKEN))}",
            option="strategies",
            value=given,
        )
    settings = dict(given)
    return Contender(strategy=settings.pop("strategy", None), settings=settings)
