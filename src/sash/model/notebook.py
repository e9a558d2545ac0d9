"""How values are shown in a notebook. Whoever can draw a kind of value says so here; values know of no drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Drawing = Callable[[Any], str]
_drawings: dict[type, Drawing] = {}


def drawn_by(kind: type, drawing: Drawing) -> None:
    """Values of this kind are shown as the HTML that `drawing` makes of them, which is called when one is shown."""
    _drawings[kind] = drawing


class Drawable:
    """A value that notebooks show as HTML; in its own words where nobody can draw it."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """What Jupyter asks for; None: it takes `repr`."""
        drawing = next((_drawings[kind] for kind in type(self).__mro__ if kind in _drawings), None)
        return drawing(self) if drawing else None
