"""Any window with the API's own compaction of what left it: a signed block in front, made on demand at each cut."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.planning.situation import Decision, Situation, Strategy
from sash.planning.strategies.base import Around
from sash.planning.strategies.economic import Economic
from sash.planning.traits import check_strategy, traits

BREAKER = 3
"""Failures in a row after which a cut does not wait for a block before its time has come."""
MAX_INSTRUCTIONS = 16_384
USUAL = 2_000
"""Tokens that a block is taken to weigh; the API's own length is not documented."""


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class ServerCompaction(Around):
    """`inner` decides when to cut; what leaves is compacted by the API itself, just before ("Compaction on demand").

    The signed block is kept beside the raw turns and stands first in the view; turns that directly follow it keep
    their thinking where the model binds it. `keep`: the recent tokens that stay verbatim (default: the
    conversation's). `instructions`: in the place of the API's own prompt for the summary. `tokens`: what a block is
    expected to weigh. On models that do not offer compaction, cuts are plain.
    """

    summarises = True
    server = True

    inner: Strategy = field(default_factory=Economic)
    keep: int | None = None
    instructions: str | None = None
    tokens: int = USUAL

    def __post_init__(self) -> None:
        check_strategy(self.inner, "inner")
        if traits(self.inner).summarises:
            raise InvalidOption("ServerCompaction(inner=...) has summaries already", option="inner", value=self.inner)
        if len(self.instructions or "") > MAX_INSTRUCTIONS:
            raise InvalidOption(
                f"instructions have at most {MAX_INSTRUCTIONS:,} characters", option="instructions", value=None
            )
        for name, value, least in (("keep", self.keep, 0), ("tokens", self.tokens, 1)):
            if value is not None and value < least:
                raise InvalidOption(f"ServerCompaction({name}={value}): use at least {least}", option=name, value=value)

    def __repr__(self) -> str:
        shown = [f"{f.name}={value!r}" for f in fields(self) if (value := getattr(self, f.name)) != _default(f)]
        return f"{type(self).__name__}({', '.join(shown)})"

    def decide(self, situation: Situation) -> Decision:
        """What the inner strategy would do with room for the block; a cut beyond what one covers waits for it."""
        situation = self._priced(situation)
        covered = max(situation.first_exchange or 0, situation.covered)
        room = 0 if situation.upto else min(self.tokens, situation.budget // 4)  # a block weighs what the last one did
        wish = self.inner.decide(replace(situation, budget=max(1, situation.budget - room)))
        if wish.first_exchange <= covered:
            return wish
        if not situation.card.compaction:
            return replace(wish, reason=f"{wish.reason}; {situation.card.id} offers no compaction")
        if situation.first_exchange is not None and covered > situation.first_exchange and situation.fits(covered):
            return replace(wish, first_exchange=covered)  # what was compacted already is enough for now
        upto = situation.exchanges[wish.first_exchange - 1].last
        trouble = situation.trouble
        broken = trouble.failures >= BREAKER and trouble.retry_at > situation.now
        why = f" (compaction failed {trouble.failures} times)" if broken else ""
        return replace(wish, reason=f"{wish.reason}{why}", summarise=upto, waits=not broken)

    def _priced(self, situation: Situation) -> Situation:
        """The situation with this strategy's `keep`, and with what a block costs: the view read, the block written."""
        keep = situation.keep if self.keep is None else min(self.keep, situation.budget)
        if not situation.card.prices or not situation.card.compaction:
            return replace(situation, keep=keep)
        view = (
            situation.prompt(situation.first_exchange).tokens
            if situation.first_exchange is not None
            else situation.fixed.tokens
        )
        price = situation.card.price(view)
        cached = min(situation.warmth.tail_tokens, view) if situation.warmth.tail_until > situation.now else 0
        made = (cached * price.read + (view - cached) * price.fresh + self.tokens * price.output) / 1e6
        sent = self.tokens * max(0.0, price.write_5m - price.read) / 1e6
        return replace(situation, keep=keep, per_cut=made + sent)


def _default(field_: object) -> object:
    """What a field is when nothing is said."""
    factory = getattr(field_, "default_factory", None)
    return factory() if callable(factory) else getattr(field_, "default", None)
