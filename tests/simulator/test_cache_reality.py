"""The cache against recorded sessions with the real API."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sash.simulator import CacheBlock, PromptCache

TTLS = ("ephemeral_1h_input_tokens", "1h"), ("ephemeral_5m_input_tokens", "5m")


def calls_of(path: Path) -> list[tuple[float, dict[str, Any]]]:
    """(start, usage) of every API call of a session; a call is spread over several lines."""
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        message = entry.get("message") or {}
        if entry.get("type") == "assistant" and str(message.get("model")).startswith("claude"):
            at = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
            found.setdefault(message["id"], (at, message["usage"]))
    return list(found.values())


def test_recorded_sessions_read_what_the_simulator_says(data: Path) -> None:
    """Of the calls of real sessions, with their own times and sizes, 98 % read to the token what is predicted.

    Only sizes and times are known: a prompt that shrank is a new conversation on the same preamble. The rest
    are edits of the history that the files do not show.
    """
    total = right = 0
    for path in sorted((data / "transcripts").glob("*.jsonl")):
        cache, view = PromptCache(), 0
        history: list[Any] = []
        calls = calls_of(path)
        preamble = min(usage["cache_read_input_tokens"] or 10**9 for _, usage in calls[1:])
        for number, (at, usage) in enumerate(calls):
            cached = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
            ttl = next((ttl for name, ttl in TTLS if usage["cache_creation"][name]), "5m")
            if history and cached < sum(history):
                view, history = view + 1, []
            history = history or [min(preamble, cached)]
            history.append(cached - sum(history))
            keys = ["preamble", *((view, place) for place in range(1, len(history)))]
            marked = {0, len(history) - 1}
            prompt = [
                CacheBlock(key=key, tokens=size, marker=ttl if place in marked else None)  # type: ignore[arg-type]
                for place, (key, size) in enumerate(zip(keys, history, strict=True))
            ]
            use = cache.request(prompt, now=at, tail=usage["input_tokens"])
            if number:
                total += 1
                right += use.read == usage["cache_read_input_tokens"]
    assert total > 400
    assert right / total >= 0.98
