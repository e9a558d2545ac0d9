"""Reality: what the API accepted passes, and what it refused by form is caught."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from recorded import EXPECTED, recordings
from sash.planning.rules import check_request

DATA = Path(os.environ.get("SASH_DATA", "/nowhere"))
pytestmark = pytest.mark.skipif(not (DATA / "api_recordings").is_dir(), reason="SASH_DATA is not set")

BETAS = ("compact-2026-01-12", "context-management-2025-06-27", "mcp-client-2025-11-20",
         "mid-conversation-tool-changes-2026-07-01")  # fmt: skip
"""The recordings keep no request headers; a call to the beta endpoint is read as naming these."""

RULES = {"sampling": "sampling-parameter", "first-message": "first-message", "repeated-id": "tool-id-twice"}
"""What the rules of `EXPECTED` are called here."""

CAUGHT = {"test_anthropic_explicit_effort_xhigh_unsupported_model_errors": "effort"}
"""The recorded refusals and the rules that foresee them."""


def problems(call: dict[str, Any], **options: Any) -> set[str]:
    """The ids of the rules that a recorded body breaks."""
    # A count_tokens body has no max_tokens; all its other rules are those of a request.
    body = {"max_tokens": 100, **call["req"]} if "count_tokens" in call["uri"] else call["req"]
    betas = BETAS if "beta=true" in call["uri"] else ()
    return {problem.rule for problem in check_request(body, betas=betas, **options)}


def test_every_accepted_body_passes() -> None:
    """Every body that the API took passes, but for those listed by name, each with its one rule."""
    accepted = [call for call in recordings(DATA) if call["status"] == 200]
    found = {call["name"]: rules for call in accepted if (rules := problems(call))}
    assert len(accepted) > 300
    assert found == {name: {RULES[EXPECTED[name]]} for name in found}
    assert set(EXPECTED) == set(found)


def test_the_old_version_took_sampling_parameters() -> None:
    """The bodies refused since pass under the version they were sent with."""
    bodies = [call for call in recordings(DATA) if EXPECTED.get(call["name"]) == "sampling"]
    assert bodies
    assert all(problems(call, version="2023-06-01") == set() for call in bodies)


def test_recorded_refusals_of_form_are_caught() -> None:
    """Every recorded 400 is caught by the rule listed for it; a 404 (unknown model) is no matter of form."""
    refused = {call["name"]: problems(call) for call in recordings(DATA) if call["status"] == 400}
    assert refused == {name: {CAUGHT[name]} for name in refused}
    assert all(problems(call) == set() for call in recordings(DATA) if call["status"] == 404)
