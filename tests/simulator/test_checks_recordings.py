"""The judge against recorded requests that the real API accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recorded import EXPECTED
from sash.model.cards import TABLE, base_name, card
from sash.simulator.checks import problems
from sash.simulator.shapes import BETA_FIELDS, BLOCKS

EVERY_BETA = [
    *(beta for betas in BETA_FIELDS.values() for beta in betas),
    *(beta for shape in BLOCKS.values() for beta in shape.betas),
    "task-budgets-2026-03-13",
]
RULES = {"sampling": "sampling", "first-message": "first_message", "repeated-id": "call_ids"}
"""What the rules of `EXPECTED` are called here."""
GENERIC = replace(card("claude-sonnet-4-5"), id="any", max_output=200_000)


def test_the_judge_passes_what_the_api_accepted(recordings: list[dict[str, Any]]) -> None:
    """Every body that the API took passes, but for those listed by name, each with its one rule."""
    accepted = [entry for entry in recordings if entry["status"] == 200]
    broken: dict[str, set[str]] = {}
    for entry in accepted:
        name = entry["req"]["model"]
        known = card(name) if base_name(name) in TABLE else GENERIC
        counting = "count_tokens" in entry["uri"]
        for problem in problems(entry["req"], known, betas=EVERY_BETA, counting=counting):
            broken.setdefault(entry["name"], set()).add(problem.rule)
    assert len(accepted) > 300
    assert broken == {name: {RULES[rule]} for name, rule in EXPECTED.items()}


def test_the_judge_says_what_the_api_said(recordings: list[dict[str, Any]]) -> None:
    """The recorded 400 is refused with the same message."""
    refused = [entry for entry in recordings if entry["status"] == 400]
    for entry in refused:
        found = problems(entry["req"], card(entry["req"]["model"]), betas=EVERY_BETA)
        assert found[0].message == entry["resp"]["error"]["message"]
    assert refused
