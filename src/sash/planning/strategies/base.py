"""What sash's own strategies have in common: traits with defaults, and how they are shown."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, ClassVar

from sash.planning.situation import Strategy


class WithTraits:
    """Traits with their defaults; `sash.planning.traits` says what each means, and looks them up."""

    __slots__ = ()

    clears: ClassVar[bool] = False
    ignores_budget: ClassVar[bool] = False
    summarises: ClassVar[bool] = False
    server: ClassVar[bool] = False
    keeps_view: ClassVar[bool] = False


class Named(WithTraits):
    """A frozen strategy shown by its class and what was chosen: `SteppedWindow(keep=2000)`, `Economic()`.

    The repr is its row label in reports.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        chosen = [f"{field.name}={value!r}" for field, value in _values(self) if value != field.default]
        return f"{type(self).__name__}({', '.join(chosen)})"


class Around(WithTraits):
    """A strategy that has an `inner` one, whose traits are its own, too."""

    __slots__ = ()

    inner: Strategy


class Guise(Around):
    """What sash itself puts around a strategy for one plan: the record names the strategy, not its guise."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.inner)


def _values(strategy: Any) -> list[tuple[Any, Any]]:
    return [(field, getattr(strategy, field.name)) for field in fields(strategy) if field.default is not MISSING]
