"""A number of tokens that says where it comes from and how far it may be off.

`Count` is frozen and adds up: tokens and upper bounds are summed, and the sum is no better founded than
its weakest part. It does not know how a number was found: see `sash.counting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from sash.errors import InvalidOption

Source = Literal["usage", "endpoint", "estimate"]
"""Strongest first: a reply's usage (exact), the counting endpoint (nearly), an estimate with a bound."""

_STRENGTH: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class Count:
    """`tokens`, at most `upper` of them at the stated coverage; found by `source`, on the tokenizer `base`."""

    tokens: int
    upper: int
    source: Source
    base: str = ""

    def __post_init__(self) -> None:
        if self.source not in _STRENGTH:
            raise InvalidOption(
                f"a count comes from {', '.join(_STRENGTH)}, not from {self.source!r}",
                option="source",
                value=self.source,
            )
        if not 0 <= self.tokens <= self.upper:
            raise InvalidOption(
                f"a count needs 0 <= tokens <= upper, not tokens={self.tokens}, upper={self.upper}",
                option="upper",
                value=self.upper,
            )

    @classmethod
    def exact(cls, tokens: int) -> Count:
        """What a reply's usage said: `tokens`, and no more."""
        return cls(tokens, tokens, "usage")

    @property
    def is_exact(self) -> bool:
        """Whether usage itself said so."""
        return self.source == "usage" and self.tokens == self.upper

    @property
    def margin(self) -> int:
        """Tokens between the number and its upper bound."""
        return self.upper - self.tokens

    def __add__(self, other: Count) -> Count:
        weakest = max(self.source, other.source, key=_STRENGTH.index)
        return Count(self.tokens + other.tokens, self.upper + other.upper, weakest, _joined(self.base, other.base))


@lru_cache(4_096)
def shared_count(tokens: int, upper: int, source: Source, base: str) -> Count:
    """A count that may be the same object as an equal one: a window holds thousands, and many of them are alike."""
    return Count(tokens, upper, source, base)


ZERO = Count(0, 0, "usage")
"""The empty sum: `sum(counts, ZERO)`."""


def _joined(mine: str, theirs: str) -> str:
    """Both bases by name, each once; exact parts have none."""
    if mine == theirs or not theirs:
        return mine
    names = dict.fromkeys(name for name in (*mine.split("+"), *theirs.split("+")) if name)
    return "+".join(names)
