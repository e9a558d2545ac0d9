"""Tool results that are too long: what is sent of them is chosen before they are recorded, whole."""

from __future__ import annotations

from collections.abc import Sequence

from sash.flows.context import Counter
from sash.flows.history.recall import exact
from sash.model.preamble import Preamble
from sash.model.turns import Draft
from sash.model.window import Loaded
from sash.planning.inputs import Settings
from sash.planning.overflow.shortening import offers_reading_on, priced_limit, shortened


def limit_of(settings: Settings, loaded: Loaded) -> int | None:
    """Tokens above which a result is sent shortened: as told, else by price where Claude can read on; None: none is."""
    if settings.max_result is not None or not offers_reading_on(settings.preamble):
        return settings.max_result
    usage = loaded.last.usage if loaded.last else None
    return priced_limit(settings.card, prompt=usage.prompt if usage else 0, budget=settings.budget)


def with_short_results(
    drafts: Sequence[Draft], most: int | None, counter: Counter, preamble: Preamble
) -> tuple[Draft, ...]:
    """The drafts, with the beginning and the end to be sent of tool results that have more than `most` tokens."""
    if most is None or all(draft.plain for draft in drafts):
        return tuple(drafts)
    size, reads_on = exact(counter), offers_reading_on(preamble)
    return tuple(shortened(draft, most, size, reads_on=reads_on) for draft in drafts)
