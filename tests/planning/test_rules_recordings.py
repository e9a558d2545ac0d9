"""Reality: what the API accepted passes, and what it refused by form is caught.

The recordings (SASH_DATA) are of 2025 and 2026: older bodies use what API version 2026-10-21 refuses.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sash.planning.rules import check_request

FOLDER = Path(os.environ.get("SASH_DATA", "/nowhere")) / "api_recordings"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="SASH_DATA is not set")

BETAS = ("compact-2026-01-12", "context-management-2025-06-27", "mcp-client-2025-11-20",
         "mid-conversation-tool-changes-2026-07-01")  # fmt: skip
"""The recordings keep no request headers; a call to the beta endpoint is read as naming these."""

ACCEPTED_THEN = {
    # Documented as refused, and refused by cloud platforms; the first-party API took it from this client.
    ("test_anthropic_model_empty_message_on_history", "first-message"),
}
REFUSED_SINCE = "sampling-parameter"
"""The one thing in the recordings that 2026-10-21 forbids; 28 of the 347 bodies have it."""

CAUGHT = {"test_anthropic_explicit_effort_xhigh_unsupported_model_errors": "effort"}
"""The recorded refusals and the rules that foresee them."""


def recordings() -> list[dict[str, Any]]:
    calls = [call for path in sorted(FOLDER.glob("*.json")) for call in json.loads(path.read_text())]
    return [call for call in calls if isinstance(call["req"], dict) and "messages" in call["req"]]


def problems(call: dict[str, Any], **options: Any) -> set[str]:
    # A count_tokens body has no max_tokens; all its other rules are those of a request.
    body = {"max_tokens": 100, **call["req"]} if "count_tokens" in call["uri"] else call["req"]
    betas = BETAS if "beta=true" in call["uri"] else ()
    return {problem.rule for problem in check_request(body, betas=betas, **options)}


def test_every_accepted_body_passes() -> None:
    """No rule refuses what the API accepted, but for the exceptions listed above."""
    accepted = [call for call in recordings() if call["status"] == 200]
    found = {(Path(call["file"]).stem, rule) for call in accepted for rule in problems(call)}
    assert len(accepted) > 300
    assert {pair for pair in found if pair[1] != REFUSED_SINCE} <= ACCEPTED_THEN


def test_the_old_version_took_sampling_parameters() -> None:
    """The same bodies pass under the version they were sent with."""
    bodies = [call for call in recordings() if REFUSED_SINCE in problems(call)]
    assert bodies
    assert all(problems(call, version="2023-06-01") == set() for call in bodies)


def test_recorded_refusals_of_form_are_caught() -> None:
    """Every recorded 400 is caught by the rule listed for it; a 404 (unknown model) is no matter of form."""
    refused = {Path(call["file"]).stem: problems(call) for call in recordings() if call["status"] == 400}
    assert refused == {name: {CAUGHT[name]} for name in refused}
    assert all(problems(call) == set() for call in recordings() if call["status"] == 404)
