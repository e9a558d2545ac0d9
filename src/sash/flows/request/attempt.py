"""One request that is tried: by which model, with which key, in which form. Values; `deliver` goes through them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeAlias

from sash.errors import SashError
from sash.flows.context import Context
from sash.flows.request.send import Call
from sash.model.replies import Reply, joined
from sash.model.turns import Draft
from sash.planning.inputs import Settings
from sash.planning.routing import Asked, Option

Outcome: TypeAlias = "Reply | SashError"
"""What came of an attempt."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """One model that may be asked, and the settings it is asked with."""

    option: Option
    settings: Settings
    notes: tuple[str, ...] = ()
    """what of the caller's options does not fit it"""

    @property
    def model(self) -> str:
        """Its id."""
        return self.option.model


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models that may be asked, and what came of those that were."""

    chat: Context
    settings: Settings
    """of the model in force"""
    ahead: tuple[Road, ...]
    """those not asked yet, in their order"""
    present: str
    """the one that answered last; "" for none"""
    asked: Asked | None
    """what they were chosen from; None: the model in force was taken, and no other was looked at"""
    road: Road | None = None
    """the one that is asked now"""
    said: tuple[str, ...] = ()
    """why it is not the first one"""
    failures: tuple[SashError, ...] = ()
    refusals: tuple[Reply, ...] = ()
    """of those that declined, oldest first: whoever answers the same in their place answers for all of them"""
    refused: tuple[str, ...] = ()
    """what there was to say when the newest of them came"""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The key of an attempt, and those that are left to try, by their names."""

    name: str
    ahead: tuple[str, ...]
    said: tuple[str, ...] = ()
    """why it is not the first one"""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a request departs from what was asked, so that it may pass."""

    note: str
    settings: Settings
    drafts: tuple[Draft, ...] = ()
    first: Outcome | None = None
    """what stands where this one cannot even be planned, or (a reply) was only part of the answer"""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request that is tried."""

    chat: Context
    """counting for the model that is asked"""
    settings: Settings
    """for that model and key"""
    drafts: tuple[Draft, ...]
    """what the user says; none: it is recorded, and pending or paused"""
    call: Call
    models: Models | None = None
    """None: there is but one"""
    keys: Keys | None = None
    """None: there is but one"""
    form: Form | None = None
    """None: as it was asked"""
    pieces: tuple[Reply, ...] = ()
    """what this model said before it paused, oldest first"""

    @property
    def says(self) -> tuple[Draft, ...]:
        """What its request says for the first time: nothing, where it continues a reply that paused."""
        return () if self.pieces else self.drafts

    def whole(self, reply: Reply) -> Reply:
        """A reply with the pieces before it, and what there is to say of the key."""
        reply = reduce(joined, (*self.pieces, reply))
        if self.keys is None or not self.keys.said:
            return reply
        return replace(reply, notes=(*self.keys.said, f"sent with key {self.keys.name!r}", *reply.notes))
