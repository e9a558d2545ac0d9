"""What `--json` prints of the record, by the names that the JSON API has for the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sash.model.epochs import Epoch, Request
from sash.model.turns import Turn
from sash.stores.port import ConversationInfo, Hit


def conversation_facts(info: ConversationInfo) -> dict[str, Any]:
    """A conversation, as it is listed."""
    return asdict(info)


def turn_facts(turn: Turn) -> dict[str, Any]:
    """A turn as recorded."""
    quoted = turn.attachment.sources if turn.attachment else ()
    return {
        "id": turn.id,
        "seq": turn.seq,
        "role": turn.role,
        "state": turn.state,
        "at": turn.at,
        "model": turn.model,
        "text": turn.text,
        "content": turn.blocks,
        "recalled": [source.seq for source in quoted],
    }


def request_facts(request: Request, epoch: Epoch) -> dict[str, Any]:
    """A request: what was expected, what was billed, why; and the window that it belongs to."""
    used, expected = request.usage, request.expected
    return {
        "number": request.number,
        "state": request.state,
        "at": request.at,
        "model": request.sent.model,
        "expected_prompt": expected.prompt,
        "expected_read": expected.read,
        "expected_dollars": expected.dollars,
        "prompt": used.prompt if used else None,
        "read": used.read if used else None,
        "written": used.write if used else None,
        "output": used.output if used else None,
        "dollars": request.cost,
        "seconds": request.latency,
        "stop_reason": request.stop_reason,
        "error": request.error,
        "surprise": request.surprise,
        "why": dict(request.why),
        "window": {
            "epoch": epoch.id,
            "first_seq": epoch.first_seq,
            "pinned_seqs": list(epoch.pinned_seqs),
            "strategy": epoch.strategy,
            "reason": epoch.reason,
        },
    }


def hit_facts(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """What a search found, the best first."""
    return [asdict(hit) for hit in hits]
