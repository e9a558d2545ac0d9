"""Strategies around others: what one does not say of itself, the inner one says; and how to find one inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from sash.planning.situation import Strategy

P = TypeVar("P")


class Around:
    """Base of strategies that have an `inner` one. A trait of its own is a class attribute."""

    __slots__ = ()

    inner: Strategy

    @property
    def clears(self) -> bool:
        """Whether the inner strategy clears tool results."""
        return bool(getattr(self.inner, "clears", False))

    @property
    def ignores_budget(self) -> bool:
        """Whether the inner strategy does."""
        return bool(getattr(self.inner, "ignores_budget", False))

    @property
    def summarises(self) -> bool:
        """Whether the inner strategy has something stand for what left."""
        return bool(getattr(self.inner, "summarises", False))


def parts(strategy: object) -> Iterator[object]:
    """The strategy and those inside it, from the outside in."""
    while strategy is not None:
        yield strategy
        strategy = getattr(strategy, "inner", None)


def part(strategy: object, kind: type[P]) -> P | None:
    """The outermost part of a strategy that is of a kind; None where there is none."""
    return next((found for found in parts(strategy) if isinstance(found, kind)), None)
