"""How a strategy is shown: its class and what was chosen, defaults left out. The repr is its row label."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any


class Named:
    """Base of the frozen strategies: `SteppedWindow(keep=2000)`, `Economic()`."""

    __slots__ = ()

    def __repr__(self) -> str:
        chosen = [f"{field.name}={value!r}" for field, value in _values(self) if value != field.default]
        return f"{type(self).__name__}({', '.join(chosen)})"


def _values(strategy: Any) -> list[tuple[Any, Any]]:
    return [(field, getattr(strategy, field.name)) for field in fields(strategy) if field.default is not MISSING]
