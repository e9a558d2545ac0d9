"""Cache diagnostics: where a request first differs from the one it names ("Cache diagnostics" docs).

Compares digests that the rendering made; keeps them for the last few thousand messages of a workspace.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sash.simulator.prompt import Prompt

KEPT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a request is compared by."""

    workspace: str
    model: str
    prompt: Prompt


@dataclass(slots=True)
class Diagnoser:
    """The fingerprints of recent requests, by the id of the message that answered them."""

    _seen: OrderedDict[str, Fingerprint] = field(default_factory=OrderedDict)

    def remember(self, message_id: str, sent: Fingerprint) -> None:
        """Keep the fingerprint of a request."""
        self._seen[message_id] = sent
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def explain(self, previous: str | None, sent: Fingerprint) -> dict[str, Any] | None:
        """The `diagnostics` of a reply: None when nothing diverged or nothing was to be compared."""
        if previous is None:
            return None
        old = self._seen.get(previous)
        if old is None or old.workspace != sent.workspace:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        reason = _divergence(old, sent)
        if reason is None:
            return None
        found: dict[str, Any] = {"type": reason}
        if reason != "unavailable":
            found["cache_missed_input_tokens"] = min(old.prompt.total, sent.prompt.total) - _common(
                old.prompt, sent.prompt
            )
        return {"cache_miss_reason": found}


def _divergence(old: Fingerprint, new: Fingerprint) -> str | None:
    """The earliest divergence, in the order model, tools, system, settings, messages."""
    if old.model != new.model:
        return "model_changed"
    for level in ("tools", "system"):
        if old.prompt.levels[level] != new.prompt.levels[level]:
            return f"{level}_changed"
    if old.prompt.messages != new.prompt.messages[: len(old.prompt.messages)]:
        return "messages_changed"
    return "unavailable" if old.prompt.levels["settings"] != new.prompt.levels["settings"] else None


def _common(old: Prompt, new: Prompt) -> int:
    """Tokens of the longest common prefix."""
    size = 0
    for mine, other, end in zip(new.keys, old.keys, new.ends, strict=False):
        if mine != other:
            break
        size = end
    return size
