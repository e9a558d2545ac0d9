"""Recorded exchanges with the real API (SASH_DATA), and which of their bodies the present version refuses.

The recordings are of 2025 and 2026: some bodies use what API version 2026-10-21 has refused since.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REFUSED_SINCE = frozenset(
    {
        "test_anthropic_sampling_settings_reach_the_wire",
        "test_async_prompt",
        "test_fixed_version_tool_chain_regression",
        "test_fixed_version_tool_chain_with_thinking_display_regression",
        "test_image_prompt",
        "test_image_with_no_prompt",
        "test_opus_46_adaptive_thinking",
        "test_opus_46_prompt",
        "test_opus_46_schema",
        "test_parts_thinking",
        "test_prompt",
        "test_prompt_with_prefill_and_stop_sequences",
        "test_schema_prompt",
        "test_schema_prompt_async",
        "test_sonnet_46_effort_without_thinking",
        "test_sonnet_46_prompt",
        "test_stream_events_text",
        "test_stream_events_thinking",
        "test_stream_events_tool_calls",
        "test_thinking_prompt",
        "test_tools",
        "test_url_prompt",
        "test_web_search",
        "test_web_search_tool_result_ordering",
    }
)
"""All of them for one rule: `temperature`, `top_p` or `top_k`, refused since 2026-10-21 even at its default."""

ACCEPTED_THEN = frozenset({"test_anthropic_model_empty_message_on_history"})
"""Opens with an assistant message: documented as illegal and refused by cloud platforms, taken from this client."""

REPEATED_ID = "test_cross_provider_capability_replay[google-gemini-3-flash-preview-anthropic-claude-sonnet-4-5]"
"""Two calls of different turns have one id: taken from this client, reported as refused from others."""

EXPECTED = {
    **dict.fromkeys(REFUSED_SINCE, "sampling"),
    **dict.fromkeys(ACCEPTED_THEN, "first-message"),
    REPEATED_ID: "repeated-id",
}
"""The rule that each of them breaks, by the name of its file."""


def recordings(data: Path) -> list[dict[str, Any]]:
    """Every recorded call of create or count_tokens, with a `name`: that of its file."""
    calls = [
        {**call, "name": Path(call["file"]).stem}
        for path in sorted((data / "api_recordings").glob("*.json"))
        for call in json.loads(path.read_text())
    ]
    return [call for call in calls if isinstance(call["req"], dict) and "messages" in call["req"]]
