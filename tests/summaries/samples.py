"""Turns and answers for the tests of summaries."""

from __future__ import annotations

from typing import Any

from sash.model.blocks import dumps, text_block
from sash.model.turns import Role, Turn

NOON = 1_778_760_000.0
"""2026-05-14 12:00 UTC"""


def turn(seq: int, role: Role, *content: str | dict[str, Any], speaker: str | None = None) -> Turn:
    """A turn of texts and blocks, a minute after the one before."""
    blocks = [text_block(one) if isinstance(one, str) else one for one in content]
    plain = role == "user" and not any(block["type"] == "tool_result" for block in blocks)
    return Turn(
        id=seq, branch=1, seq=seq, role=role, plain=plain, state="answered", content=dumps(blocks),
        at=NOON + 60 * seq, speaker=speaker,
    )  # fmt: skip


def user(seq: int, *content: str | dict[str, Any]) -> Turn:
    """A turn of the user's."""
    return turn(seq, "user", *content)


def assistant(seq: int, *content: str | dict[str, Any]) -> Turn:
    """A turn of the model's."""
    return turn(seq, "assistant", *content)


def size(text: str) -> int:
    """Tokens, more or less."""
    return len(text) // 4 + 1


def answer(*facts: str, instructions: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A summariser's answer in the form asked for."""
    orders = "\n".join(f"- {line}" for line in instructions) or "- none"
    told = "\n".join(f"- {line}" for line in facts) or "- none"
    return [
        text_block(
            f"## Standing instructions of the user\n{orders}\n## Facts and decisions\n{told}\n"
            "## Open requests\n- none\n## Where things stand\n- The user said goodbye.\n"
        )
    ]
