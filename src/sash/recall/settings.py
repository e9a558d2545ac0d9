"""What is asked of recall, and what it gives: `Recall`, `Found`, and the `Embedder` that knows meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.model.turns import Turn

Scope = Literal["conversation", "user"]


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose closeness is closeness in meaning.

    `name` tells models apart: vectors stored under another name are made anew, never mixed. `embed` is called with
    up to some hundred texts, from any thread, and gives one row of numbers for each, all of one length.
    """

    @property
    def name(self) -> str: ...
    def embed(self, texts: list[str], /) -> Sequence[Any]: ...


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How old turns are looked for. Raises InvalidOption for what cannot be."""

    gone: ClassVar[Mapping[str, str]] = {
        "each": "tokens= is the share of each question now, and the budget bounds what all of them take together"
    }

    tokens: int = 1_000
    """the most that is attached to one question, quotation marks and dates included; all that is attached between two
    cuts is bounded by the budget"""
    neighbours: int = 4
    """how many turns to each side of a hit gain from it: a hit alone is often half an answer. 0: none"""
    words: bool = True
    """search by words"""
    semantic: bool | Embedder | None = None
    """search by meaning: with an embedder of yours, or (True) the small one of the extra `semantic`; None: with the
    small one where it is installed"""
    scope: Scope = "conversation"
    """where is looked: in this conversation, or ("user") in the others of its user, too, which get half of the share at
    most"""
    zone: str = "UTC"
    """the user's time zone ("Europe/Berlin"): in which "yesterday" is meant, and the times of quotes are told"""

    def __post_init__(self) -> None:
        _zone(self.zone)
        if self.scope not in get_args(Scope):
            raise InvalidOption(
                f"scope={self.scope!r}: give {' or '.join(map(repr, get_args(Scope)))}",
                option="scope",
                value=self.scope,
            )
        _reject_number("tokens", self.tokens, 1)
        _reject_number("neighbours", self.neighbours, 0)
        if not isinstance(self.semantic, bool | Embedder | None):
            raise InvalidOption(
                f"semantic={self.semantic!r}: give True, False, or an object with `name` and `embed(texts)`",
                option="semantic",
                value=self.semantic,
            )
        if not isinstance(self.words, bool) or not (self.words or self.semantic):
            raise InvalidOption(
                f"words={self.words!r}, semantic={self.semantic!r}: search by words, by meaning, or by both",
                option="words",
                value=self.words,
            )

    @property
    def timezone(self) -> tzinfo:
        """The zone by its name."""
        return _zone(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One turn that was found."""

    turn: Turn
    score: float
    """its value against the best one found, which has 1.0"""
    why: str
    """the time or place that was meant, the words it shares with the query, words that are like them, its closeness in
    meaning, the hit it stands beside, or the earlier turn that it takes up"""
    text: str
    """what is quoted of it: all of it, or of a long turn the passage around the words"""
    tokens: int
    """what quoting it takes"""
    conversation: str = ""
    """the id of the user's other conversation it was said in; "" for this one"""


def _zone(name: Any) -> tzinfo:
    if name == "UTC":
        return UTC
    zones = _load_zones()
    try:
        return zones.ZoneInfo(name)  # type: ignore[no-any-return]
    except (zones.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise InvalidOption(
            f"zone={name!r} is no time zone known here: give an IANA name such as 'Europe/Berlin', or 'UTC'",
            option="zone",
            value=name,
        ) from error


def _load_zones() -> Any:
    import zoneinfo  # noqa: PLC0415 - few name a zone

    return zoneinfo


def _reject_number(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidOption(f"{name}={value!r}: give a whole number, at least {least}", option=name, value=value)
