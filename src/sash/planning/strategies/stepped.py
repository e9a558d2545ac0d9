"""Two watermarks: let the view grow to the high one, then cut it to the low one in one step."""

from __future__ import annotations

from dataclasses import dataclass

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.planning.situation import Decision, Situation
from sash.planning.strategies.base import Named


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class SteppedWindow(Named):
    """Cut to the shortest run holding `keep` tokens when the prompt would pass `high` tokens.

    Defaults: `keep` of the conversation, and its budget as `high`.
    """

    keep: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and self.high is not None and self.keep >= self.high:
            raise InvalidOption(
                f"SteppedWindow(keep={self.keep}, high={self.high}): keep must lie below high",
                option="keep",
                value=self.keep,
            )

    def decide(self, situation: Situation) -> Decision:
        """Stay while the upper bound of the prompt is within `high`."""
        high = min(self.high if self.high is not None else situation.limit, situation.limit)
        keep = self.keep if self.keep is not None else situation.keep
        before = situation.start if situation.start is not None else 0
        upper = situation.prompt(before).upper
        if upper <= high:
            rule = "first" if situation.start is None else "stay"
            reason = f"nothing has to leave: the prompt takes at most {upper:,} tokens, and may reach {high:,}"
            return Decision(start=before, rule=rule, reason=reason)
        if not situation.may_cut():
            reason = f"nothing leaves while Claude is at work with tools, though {upper:,} tokens could pass {high:,}"
            return Decision(start=before, rule="stay", reason=reason)
        start = max(before, situation.shortest(keep))
        return Decision(
            start=start,
            rule="must" if upper > situation.limit else "step",
            reason=f"the prompt could take {upper:,} tokens, more than {high:,}: "
            f"the oldest turns leave, the newest {situation.kept(start):,} tokens stay",
        )
