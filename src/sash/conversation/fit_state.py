"""What `fit` hands out to be handed in again: the view in force, the last request, what pauses taught. JSON values.

It stands for the small part of a record that a plan is made from. Of the messages it knows positions and digests, of
system prompt and tools a digest of each part, so it grows neither with the conversation nor with what is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sash.errors import InvalidOption
from sash.model.blocks import dumps, text_block
from sash.model.cards import Ttl
from sash.model.epochs import Epoch, Marker, Sent
from sash.model.preamble import Preamble
from sash.model.turns import Draft
from sash.model.usage import Usage
from sash.model.window import LastRequest
from sash.planning.plan import Plan
from sash.stores import rows

VERSION = 1
_WHY = ("restless", "unseen", "source")
"""What of a decision the next plan reads."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A run of messages, and a digest of what they say: indexes from `first` up to and without `end`."""

    first: int
    end: int
    digest: str

    @classmethod
    def of(cls, drafts: Sequence[Draft], first: int, end: int) -> Stretch:
        """The stretch of a list of messages."""
        told = hashlib.blake2b(digest_size=12)
        for draft in drafts[first:end]:
            told.update(f"{draft.role}:{len(draft.content)}:{draft.content}".encode())
        return cls(first=first, end=end, digest=told.hexdigest())

    def holds(self, drafts: Sequence[Draft]) -> bool:
        """Whether these messages say the same there."""
        return len(drafts) >= self.end and self == Stretch.of(drafts, self.first, self.end)


@dataclass(frozen=True, kw_only=True)
class FitState:
    """What one call knew, for the next. A new conversation begins with an empty one."""

    epoch: Epoch | None = None
    """the view in force; its preamble stands for the one that was sent (`_likeness`)"""
    settled: Stretch | None = None
    """of the messages in it, those up to the last reply"""
    newest: Stretch | None = None
    """those behind it"""
    sent: LastRequest | None = None
    """the request that was made of them: answered once a reply stands behind it"""
    answered: LastRequest | None = None
    """the last request that was answered before"""
    counted: bool = False
    """whether the usage of `answered` is the API's, and not what was expected"""
    ttl: Ttl = "5m"
    """of the newest marker on the preamble"""
    marked_at: float | None = None
    """when that was sent; None: not with this preamble"""
    gaps: tuple[float, ...] = ()
    """seconds between the newest questions, newest last"""
    asked_at: float | None = None
    """when the newest question was asked"""
    learned: Mapping[str, Any] = field(default_factory=dict)
    """what the strategy keeps in mind"""

    def follow(self, drafts: Sequence[Draft], preamble: Preamble, usage: Mapping[str, Any] | None) -> FitState:
        """The state as these messages go on with it; an empty view where they say otherwise than those before did.

        `usage`: what the API said of the last request, where the caller knows.
        """
        if self.epoch is None or self.settled is None or not self.settled.holds(drafts):
            return replace(self, epoch=None, sent=None, answered=None)
        epoch = replace(self.epoch, preamble=_recognised(self.epoch.preamble, preamble))
        found = replace(self, epoch=epoch, marked_at=self.marked_at if epoch.preamble == preamble else None)
        if self.sent is None or self.newest is None or not self.newest.holds(drafts):
            return found
        if len(drafts) <= self.newest.end or drafts[self.newest.end].role != "assistant":
            return found
        last = self.sent if usage is None else replace(self.sent, usage=Usage.of_prompt(usage), wire=dict(usage))
        return replace(found, answered=last, counted=usage is not None)

    def then(self, plan: Plan, drafts: Sequence[Draft], now: float | None) -> FitState:
        """The state behind the request of a plan."""
        at, asks = self.moment(now), drafts[-1].plain and (self.newest is None or len(drafts) != self.newest.end)
        first, kept = plan.epoch.first_seq - 1, plan.situation.first_exchange is not None and not plan.cut
        settled = max(first, replied(drafts))
        gap = [] if now is None or self.asked_at is None or not asks else [max(0.0, now - self.asked_at)]
        in_front = [marker.ttl for marker in plan.sent.markers if marker.place != "turn"]
        learned = self.learned if plan.decision.learned is None else plan.decision.learned
        return FitState(
            epoch=replace(plan.epoch, preamble=_likeness(plan.epoch.preamble)),
            settled=Stretch.of(drafts, first, settled),
            newest=Stretch.of(drafts, settled, len(drafts)),
            sent=_expected(plan, at),
            answered=self.answered if kept else None,
            counted=self.counted and kept,
            ttl=in_front[0] if in_front else self.ttl,
            marked_at=at if in_front else self.marked_at,
            gaps=(*self.gaps, *gap)[-rows.GAPS_READ :],
            asked_at=now if asks and now is not None else self.asked_at,
            learned=rows.learned(learned),
        )

    def moment(self, now: float | None) -> float:
        """Now, or where the caller names no time, the moment of the last request: no time has passed."""
        return now if now is not None else self.sent.at if self.sent else 0.0

    # ---- as JSON --------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """JSON values, to be kept with the messages."""
        told = {
            "version": VERSION,
            "epoch": _epoch_json(self.epoch),
            "settled": self.settled and asdict(self.settled),
            "newest": self.newest and asdict(self.newest),
            "sent": _request_json(self.sent),
            "answered": _request_json(self.answered),
            "counted": self.counted,
            "ttl": self.ttl,
            "marked_at": self.marked_at,
            "gaps": [round(gap, 3) for gap in self.gaps],
            "asked_at": self.asked_at,
            "learned": self.learned,
        }
        plain: dict[str, Any] = json.loads(dumps(told))
        return plain

    @classmethod
    def read(cls, state: Any) -> FitState:
        """What `as_json` gave; an empty one for None. Raises InvalidOption for anything else."""
        if state is None:
            return cls()
        remedy = "hand in the `state` of the last Fitted as it was, or None to begin anew"
        if not isinstance(state, Mapping) or state.get("version") != VERSION:
            raise InvalidOption(f"state={state!r:.60}: {remedy}", option="state", value=state)
        try:
            return cls(
                epoch=_epoch(state["epoch"]),
                settled=_stretch(state["settled"]),
                newest=_stretch(state["newest"]),
                sent=_request(state["sent"]),
                answered=_request(state["answered"]),
                counted=bool(state["counted"]),
                ttl="1h" if state["ttl"] == "1h" else "5m",
                marked_at=state["marked_at"],
                gaps=tuple(map(float, state["gaps"])),
                asked_at=None if state["asked_at"] is None else float(state["asked_at"]),
                learned=dict(state["learned"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidOption(f"state: {error!r:.60} in it; {remedy}", option="state", value=state) from error


def replied(drafts: Sequence[Draft]) -> int:
    """How many messages there were up to the last reply; 0 without one."""
    return max((at for at, draft in enumerate(drafts, 1) if draft.role == "assistant"), default=0)


def _expected(plan: Plan, at: float) -> LastRequest:
    """A request as it is expected to be billed: what is written goes with the longest marker."""
    told = plan.expected
    hours = any(marker.ttl == "1h" and marker.place == "turn" for marker in plan.sent.markers)
    written = {"write_1h" if hours else "write_5m": told.write}
    return LastRequest(
        at=at,
        sent=plan.sent,
        usage=Usage(fresh=told.fresh, read=told.read, **written),
        upper=told.upper,
        why={name: plan.why[name] for name in _WHY},
    )


def _digest(value: Any) -> str:
    return hashlib.blake2b(dumps(value).encode(), digest_size=8).hexdigest()


def _likeness(preamble: Preamble) -> Preamble:
    """A preamble with a digest in the place of each part: what a state keeps of it."""
    system = [text_block(_digest(block)) for block in preamble.system_blocks]
    tools = [{"name": tool.get("name"), "digest": _digest(tool)} for tool in preamble.tool_list]
    return Preamble(system=dumps(system) if system else "", tools=dumps(tools) if tools else "")


def _recognised(kept: Preamble, now: Preamble) -> Preamble:
    """The preamble that a likeness stands for, as far as it is the present one: parts that differ stay digests."""
    like = _likeness(now)
    if kept == like:
        return now
    system = [_same(old, like.system_blocks, now.system_blocks, at) for at, old in enumerate(kept.system_blocks)]
    tools = [_same(old, like.tool_list, now.tool_list, at) for at, old in enumerate(kept.tool_list)]
    return Preamble(system=dumps(system) if system else "", tools=dumps(tools) if tools else "")


def _same(old: Any, like: Sequence[Any], now: Sequence[Any], at: int) -> Any:
    return now[at] if at < len(like) and like[at] == old else old


def _stretch(told: Mapping[str, Any] | None) -> Stretch | None:
    return None if told is None else Stretch(**told)


def _epoch_json(epoch: Epoch | None) -> dict[str, Any] | None:
    if epoch is None:
        return None
    return {
        "model": epoch.model,
        "system": epoch.preamble.system,
        "tools": epoch.preamble.tools,
        "first_seq": epoch.first_seq,
        "thinking_stripped_to": epoch.thinking_stripped_to,
        "instructions": list(epoch.instructions),
        "tagged": epoch.tagged,
        "relief": json.loads(rows.relief_column(epoch.relief)),
        "strategy": epoch.strategy,
        "reason": epoch.reason,
    }


def _epoch(told: Mapping[str, Any] | None) -> Epoch | None:
    if told is None:
        return None
    return Epoch(
        **{
            **{name: told[name] for name in ("model", "first_seq", "thinking_stripped_to", "tagged")},
            **{name: told[name] for name in ("strategy", "reason")},
            "preamble": Preamble(system=told["system"], tools=told["tools"]),
            "instructions": tuple(told["instructions"]),
            "relief": rows.relief(told["relief"]),
        }
    )


def _request_json(request: LastRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    sent = request.sent
    return {
        "at": request.at,
        "model": sent.model,
        "max_tokens": sent.max_tokens,
        "options": dict(sent.options),
        "markers": [asdict(marker) for marker in sent.markers],
        "last": sent.last,
        "usage": asdict(request.usage),
        "wire": dict(request.wire),
        "upper": request.upper,
        "why": dict(request.why),
    }


def _request(told: Mapping[str, Any] | None) -> LastRequest | None:
    if told is None:
        return None
    sent = Sent(
        model=told["model"],
        max_tokens=told["max_tokens"],
        options=told["options"],
        markers=tuple(Marker(**marker) for marker in told["markers"]),
        last=told["last"],
    )
    return LastRequest(
        at=told["at"], sent=sent, usage=Usage(**told["usage"]), wire=told["wire"], upper=told["upper"], why=told["why"]
    )
