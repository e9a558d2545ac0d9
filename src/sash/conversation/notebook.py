"""What notebooks show of conversations, plans and past requests: drawn by `sash.inspect`, loaded when one is shown."""

from __future__ import annotations

from typing import Any

from sash.flows.history.branch import PastRequest
from sash.model.notebook import drawn_by
from sash.planning.plan import Plan


def draw_in_notebooks() -> None:
    """Have plans and past requests drawn, wherever they come from."""
    drawn_by(Plan, lambda plan: str(_load_inspect().plan_html(plan)))
    drawn_by(PastRequest, lambda past: str(_load_inspect().request_html(past)))


def drawn(chat: Any) -> str:
    """A conversation as HTML."""
    return str(_load_inspect().conversation_html(chat))


def _load_inspect() -> Any:
    from sash import inspect  # noqa: PLC0415 - notebooks alone need it

    return inspect
