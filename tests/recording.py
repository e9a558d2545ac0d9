"""Writes to a store by hand, step by step, as the flows do: for the tests of stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sash.model.counts import Count
from sash.model.epochs import Epoch, Expected, Marker, Sent
from sash.model.preamble import Preamble, preamble
from sash.model.requests import Begun, FinishedRequest, NewRequest
from sash.model.turns import Draft, Turn
from sash.model.usage import Usage
from sash.model.window import Head, Loaded

MODEL = "claude-sonnet-5-5"
NOTHING = Expected(prompt=0, upper=0, read=0, write=0, fresh=0, dollars=0.0)
PREAMBLE = preamble("Be brief.", None)
USAGE = Usage(fresh=3, read=100, write_5m=20, output=9)


def text(words: str, role: Any = "user") -> Draft:
    """A turn of text."""
    return Draft(role=role, content=f'[{{"type":"text","text":"{words}"}}]')


class Recorder:
    """One conversation of one store, written to by hand. Times count seconds from 1,000."""

    def __init__(self, store: Any, id: str = "a", namespace: str = "", user: str = "") -> None:
        self.store = store
        self.key = self.head_of(id, namespace, user=user).conversation
        self.now = 1_000.0

    def head_of(self, id: str, namespace: str = "", create: bool = True, user: str = "") -> Head:
        head: Head = self.store.branches.open(namespace=namespace, id=id, create=create, user=user)
        return head

    @property
    def head(self) -> Head:
        """Where it stands."""
        head: Head = self.store.branches.head(self.key)
        return head

    def begin(self, *drafts: Draft, head: Head | None = None, cut: bool = False, **more: Any) -> Begun:
        """Record a request about to be sent; `head`: what its planner saw."""
        seen = head or self.head
        self.now += 10.0
        last = seen.seq + len(drafts)
        fresh = Epoch(
            model=MODEL,
            preamble=more.pop("preamble", PREAMBLE),
            first_seq=last if cut else 1,
            thinking_stripped_to=seen.seq,
        )
        epoch = more.pop("epoch", fresh if cut or seen.epoch is None else seen.epoch)
        markers = (Marker(place="turn", block=0, ttl="5m", seq=last, role="new tail"),)
        settings: dict[str, Any] = {
            "sent": Sent(model=MODEL, max_tokens=100, markers=markers, last=last),
            "expected": NOTHING,
            "why": {"rule": "first"},
            "body_hash": "0" * 32,
            "at": self.now,
            "plain": True,
        }
        begun: Begun = self.store.requests.begin(NewRequest(
                conversation=self.key, branch=seen.branch, head=seen.seq, turns=drafts, epoch=epoch,
                **{**settings, **more},
            ))  # fmt: skip
        return begun

    def finish(self, begun: Begun, words: str = "Yes.", **more: Any) -> Turn | None:
        """Record the reply."""
        self.now += 1.0
        settings: dict[str, Any] = {
            "reply": text(words, "assistant"), "state": "answered", "settled_as": "answered",
            "settled_turns": tuple(turn.id for turn in begun.turns), "usage": USAGE, "usage_json": {"input_tokens": 3},
            "cost": 0.5, "stop_reason": "end_turn", "message_id": "msg_1", "request_id": "req_1", "at": self.now,
            "model": MODEL, "reply_count": Count(9, 17, "usage"),
        }  # fmt: skip
        reply: Turn | None = self.store.requests.finish(FinishedRequest(
            conversation=self.key, request=begun.request, **{**settings, **more}
        ))  # fmt: skip
        return reply

    def fail(self, begun: Begun, withdraw: Sequence[int] = ()) -> None:
        """Record that no reply came."""
        self.now += 1.0
        self.store.requests.fail(
            begun.request, withdraw=tuple(withdraw), error="Unavailable", request_id=None, at=self.now
        )

    def say(self, question: str, answer: str = "Yes.", **more: Any) -> Turn:
        """One whole exchange; the reply."""
        reply = self.finish(self.begin(text(question), **more), answer)
        assert reply is not None
        return reply

    def turns(self, **page: Any) -> list[Turn]:
        """A page of the present branch."""
        return list(self.store.turns.read(self.key, **page))

    def states(self) -> list[str]:
        """The state of each turn, oldest first."""
        return [turn.state for turn in self.turns()]

    def window(self, preamble: Preamble | None = PREAMBLE, **more: Any) -> Loaded:
        """What the next request would be planned from."""
        loaded: Loaded = self.store.windows.read(self.key, model=MODEL, preamble=preamble, **more)
        return loaded

    def branch(self, seq: int, reason: Any = "edit", as_id: str | None = None) -> Head:
        """Branch off."""
        head: Head = self.store.branches.new(self.key, seq=seq, reason=reason, as_id=as_id)
        return head

    def pin(self, turn: int, pinned: bool = True) -> None:
        """Pin or unpin."""
        self.store.turns.pin(self.key, turn=turn, pinned=pinned)
