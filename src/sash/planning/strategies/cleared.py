"""Old tool results give way first: to placeholders, at cuts only; what else leaves, another strategy decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.planning.situation import Decision, ResultsTurn, Situation, Size, Strategy
from sash.planning.strategies.base import Around
from sash.planning.strategies.windows import SteppedWindow
from sash.planning.traits import check_strategy


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class ClearedTools(Around):
    """Where `inner` would cut, all tool results but the newest `keep` become placeholders; it cuts if that does not do.

    A placeholder names tool and size. `inputs`: the inputs of those calls are left out too. Pinned exchanges stay
    as they are.
    """

    clears = True

    inner: Strategy = field(default_factory=SteppedWindow)
    keep: int = 3
    inputs: bool = False

    def __post_init__(self) -> None:
        check_strategy(self.inner, "inner")
        if self.keep < 1:
            raise InvalidOption(
                f"ClearedTools(keep={self.keep}): the newest tool result always stays; use at least 1",
                option="keep",
                value=self.keep,
            )

    def decide(self, situation: Situation) -> Decision:
        """Stay while the inner strategy does; at its cuts, clear before exchanges leave."""
        decision = self.inner.decide(situation)
        if (
            decision.first_exchange == situation.first_exchange
            and decision.rule == "stay"
            and situation.fits(situation.first_exchange)
        ):
            return decision
        old = self._old(situation)
        if not old:
            return decision
        again = self.inner.decide(self._without(situation, old))
        gone = [turn for turn in old if turn.exchange >= again.first_exchange]
        if not gone:
            return decision
        seqs = frozenset(seq for turn in gone for seq in ((turn.seq, turn.call) if self.inputs else (turn.seq,)))
        return replace(
            again,
            rule=decision.rule,
            reason=f"{decision.reason}; old tool results give way first, {sum(turn.results for turn in gone)} of them",
            cleared=seqs,
            learned=decision.learned,
        )

    def _old(self, situation: Situation) -> list[ResultsTurn]:
        """All but the newest turns that hold `keep` results, where a placeholder is shorter."""
        left, old = self.keep, []
        for turn in reversed(situation.results):
            if left <= 0 and self._saved(turn).tokens > 0:
                old.append(turn)
            left -= turn.results
        return old[::-1]

    def _saved(self, turn: ResultsTurn) -> Size:
        return turn.saves + turn.call_saves if self.inputs else turn.saves

    def _without(self, situation: Situation, old: list[ResultsTurn]) -> Situation:
        """The situation once they are cleared, with less room: a cut that frees little would come again soon."""
        exchanges = list(situation.exchanges)
        for turn in old:
            saved, exchange = self._saved(turn), exchanges[turn.exchange]
            tokens = max(0, exchange.tokens - saved.tokens)
            exchanges[turn.exchange] = replace(exchange, tokens=tokens, upper=max(tokens, exchange.upper - saved.upper))
        fixed = situation.fixed.tokens
        room = max(0, situation.limit - fixed)
        budget = min(situation.limit, fixed + (room + min(situation.keep, room)) // 2)
        return replace(situation, exchanges=tuple(exchanges), stay=None, budget=budget)
