"""The Models API: what GET /v1/models and /v1/models/{id} say of each card. Shapes only; prices are not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sash.model.cards import ModelCard, base_name
from sash.simulator.checks import EFFORTS, efforts_of
from sash.simulator.paging import page

_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # "may be set to an epoch value if the release date is unknown"


def model_body(card: ModelCard) -> dict[str, Any]:
    """One model, as the Models API describes it."""
    line = next((name for name in _LINES if name in card.id), None)
    retiring = card.retires is not None
    return {
        "type": "model",
        "id": card.id,
        "display_name": _display_name(card.id),
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "deprecated" if retiring else "active",
        "deprecated_at": _UNKNOWN_DATE if retiring else None,
        "retires_at": f"{card.retires}T00:00:00Z" if retiring else None,
        "line": line,
        "max_input_tokens": card.window,
        "max_tokens": card.max_output,
        "capabilities": _capabilities(card),
    }


def _display_name(model: str) -> str:
    """claude-opus-5-5 is Claude Opus 5.5."""
    words = base_name(model).split("-")
    names = [word.capitalize() for word in words if not word.isdigit()]
    return " ".join([*names, ".".join(word for word in words if word.isdigit())]).strip()


def _support(supported: bool) -> dict[str, bool]:
    return {"supported": supported}


def _capabilities(card: ModelCard) -> dict[str, Any]:
    """What the simulator offers for this model: features that it lacks are reported as unsupported."""
    efforts = efforts_of(card)
    modes = ("adaptive", "between_tools", "disabled", "enabled")
    return {
        "batch": _support(True),
        "citations": _support(False),
        "code_execution": _support(False),
        "context_management": {
            "supported": True,
            "clear_thinking_20251015": _support(True),
            "clear_tool_uses_20250919": _support(True),
            "compact_20260112": _support(card.compaction),
        },
        "compaction": {"supported": card.compaction, "summarize": _support(card.compaction)},
        "effort": {"supported": bool(efforts), **{level: _support(level in efforts) for level in EFFORTS}},
        "image_input": _support(True),
        "pdf_input": _support(True),
        "server_tools": {"supported": False, "code_execution": _support(False), "web_search": _support(False)},
        "structured_outputs": _support(True),
        "thinking": {
            "supported": card.thinking_modes != (),
            "types": {mode: _support(mode in card.thinking_modes) for mode in modes},
        },
    }


def page_body(cards: Sequence[ModelCard], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of models."""
    return page(cards, query, id_of=lambda card: card.id, body_of=model_body)
