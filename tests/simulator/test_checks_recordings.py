"""The judge against recorded requests that the real API accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from sash.model.cards import TABLE, base_name, card
from sash.simulator.checks import problems
from sash.simulator.shapes import BETA_FIELDS, BLOCKS

EVERY_BETA = [
    *(beta for betas in BETA_FIELDS.values() for beta in betas),
    *(beta for shape in BLOCKS.values() for beta in shape.betas),
    "task-budgets-2026-03-13",
]
SINCE = {
    "sampling": "refused since version 2026-10-21; the recordings are older",
    "first_message": "accepted by the first-party API, documented as illegal, refused elsewhere: a switch",
}
GENERIC = replace(card("claude-sonnet-4-5"), id="any", max_output=200_000)


def test_the_judge_passes_what_the_api_accepted(recordings: list[dict[str, Any]]) -> None:
    """Every recorded request answered with 200 passes, but for two rules that are explained."""
    broken: Counter[str] = Counter()
    accepted = [entry for entry in recordings if entry["status"] == 200]
    for entry in accepted:
        name = entry["req"]["model"]
        known = card(name) if base_name(name) in TABLE else GENERIC
        counting = "count_tokens" in entry["uri"]
        found = problems(entry["req"], known, betas=EVERY_BETA, counting=counting)
        broken.update({problem.rule for problem in found})
    assert len(accepted) > 300
    assert set(broken) == set(SINCE)
    assert broken["first_message"] == 1


def test_the_judge_says_what_the_api_said(recordings: list[dict[str, Any]]) -> None:
    """The recorded 400 is refused with the same message."""
    refused = [entry for entry in recordings if entry["status"] == 400]
    for entry in refused:
        found = problems(entry["req"], card(entry["req"]["model"]), betas=EVERY_BETA)
        assert found[0].message == entry["resp"]["error"]["message"]
    assert refused
