"""The API's pools and standard limits: which models draw from one pool, and how much a tier's pool holds.

"Rate limits" docs, standard tiers of 2026: all Fable 5 share a pool, all Opus 4, all Sonnet 4; other models have their
own. Haiku 5.5 is not published and has the common row. They are a beginning: headers overrule them.
"""

from __future__ import annotations

from typing import Literal

from sash.errors import InvalidOption
from sash.limits.limiter.policy import Limits
from sash.model.cards import base_name

Tier = Literal["start", "build", "scale"]

_COMMON: dict[str, Limits] = {
    "start": Limits(requests=1_000, input_tokens=2_000_000, output_tokens=400_000),
    "build": Limits(requests=5_000, input_tokens=5_000_000, output_tokens=1_000_000),
    "scale": Limits(requests=10_000, input_tokens=10_000_000, output_tokens=2_000_000),
}
_FABLE: dict[str, Limits] = {
    "start": Limits(requests=1_000, input_tokens=500_000, output_tokens=100_000),
    "build": Limits(requests=2_000, input_tokens=1_500_000, output_tokens=300_000),
    "scale": Limits(requests=4_000, input_tokens=4_000_000, output_tokens=800_000),
}
_TOGETHER = ("claude-fable-5", "claude-opus-4", "claude-sonnet-4")


def pool_of(model: str) -> str:
    """The name of the pool that a model draws from."""
    name = base_name(model)
    return next((family for family in _TOGETHER if name.startswith(family)), name)


def limits_of(tier: str, pool: str) -> Limits:
    """The standard limits of a tier for a pool. Raises InvalidOption for an unknown tier."""
    table = _FABLE if pool.startswith("claude-fable") else _COMMON
    if tier not in table:
        raise InvalidOption(f"unknown tier {tier!r}; known are {', '.join(table)}", option="limits", value=tier)
    return table[tier]
