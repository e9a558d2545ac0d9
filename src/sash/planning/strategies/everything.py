"""The yardstick: send all there is."""

from __future__ import annotations

from dataclasses import dataclass

from sash.model.settings import settings
from sash.planning.situation import Decision, Situation
from sash.planning.strategies.base import Named


@settings
@dataclass(frozen=True, slots=True, repr=False)
class Everything(Named):
    """Every exchange, up to the model's window; the budget is ignored, and beyond the window nothing fits."""

    ignores_budget = True

    def decide(self, situation: Situation) -> Decision:
        """Start at the first exchange, always."""
        rule = "first" if situation.start is None else "stay"
        return Decision(start=0, rule=rule, reason="nothing is ever left out")
