"""Message Batches: what is queued, when it is worked on, how it ends ("Batch processing" docs).

An item is worked on at its due time, by a function that the simulator hands in; what is due by now is done before the
next call is answered. Items not reached within 24 hours expire, a cancelled batch ends soon, results stay for 29 days.
It knows the wire's shapes and the clock's seconds that come in, not what a request means or costs.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sash.errors import InvalidOption
from sash.simulator.calls import Context, Denied
from sash.simulator.clock import rfc3339
from sash.simulator.paging import page
from sash.simulator.shapes import Problem
from sash.simulator.wire import dumps

BATCHES = "/v1/messages/batches"
ITEMS = f"{BATCHES}/items"
"""The path under which items stand in the log, and meet their faults."""
MOST_ITEMS = 100_000
MOST_BYTES = 256 * 1024 * 1024
LIFETIME = 24 * 3600.0
ARCHIVED_AFTER = 29 * 24 * 3600.0
CANCELLING = 10.0
"""Seconds in which a cancelled batch comes to its end."""
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_BARRED = ("stream", "speed", "thread")
OUTCOMES = ("succeeded", "errored", "canceled", "expired")

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """How fast batches are: seconds until the first item is done, and between two items."""

    begins_after: float = 60.0
    seconds_per_request: float = 0.0

    def __post_init__(self) -> None:
        for name in ("begins_after", "seconds_per_request"):
            if not getattr(self, name) >= 0:
                raise InvalidOption(f"{name} is a number of seconds from 0 on", option=name, value=getattr(self, name))


@dataclass(slots=True, kw_only=True)
class Item:
    """One request of a batch. `result`: None while it waits."""

    custom_id: str
    params: Any
    due: float
    result: Result | None = None


@dataclass(slots=True, kw_only=True)
class Batch:
    """A batch, as it stands. `headers`: those of the call that created it, which hold for every item."""

    id: str
    workspace: str
    headers: Mapping[str, str]
    items: list[Item]
    created: float
    cancelled: float | None = None

    @property
    def expires(self) -> float:
        return self.created + LIFETIME

    @property
    def ends(self) -> float:
        """When its last item is done, has expired or was cancelled."""
        last = min(max(item.due for item in self.items), self.expires)
        return last if self.cancelled is None else min(last, self.cancelled + CANCELLING)

    def ended(self, now: float) -> bool:
        return now >= self.ends

    def body(self, now: float, host: str) -> dict[str, Any]:
        """The batch object."""
        ended = self.ended(now)
        archived = self.ends + ARCHIVED_AFTER
        counts = Counter(str((item.result or {}).get("type")) for item in self.items) if ended else Counter()
        status = "ended" if ended else "in_progress" if self.cancelled is None else "canceling"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {
                "processing": 0 if ended else len(self.items),
                **{outcome: counts[outcome] for outcome in OUTCOMES},
            },
            "created_at": rfc3339(self.created),
            "expires_at": rfc3339(self.expires),
            "ended_at": rfc3339(self.ends) if ended else None,
            "cancel_initiated_at": None if self.cancelled is None else rfc3339(self.cancelled),
            "archived_at": rfc3339(archived) if ended and now >= archived else None,
            "results_url": f"http://{host}{BATCHES}/{self.id}/results" if ended and now < archived else None,
        }

    def lines(self) -> bytes:
        """The results as JSONL, in an order of their own: the API promises none."""
        mixed = sorted(self.items, key=lambda item: hashlib.blake2b(f"{self.id}{item.custom_id}".encode()).digest())
        return b"".join(dumps({"custom_id": item.custom_id, "result": item.result}) + b"\n" for item in mixed)


Work = Callable[[Batch, Item], Result]


@dataclass(slots=True)
class Batches:
    """All batches of one organization. `work` turns an item into its result, at the item's due time."""

    work: Work
    rules: BatchRules
    _all: dict[str, Batch] = field(default_factory=dict)
    _open: dict[str, Batch] = field(default_factory=dict)
    _made: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, context: Context) -> dict[str, Any] | bytes:
        """Answer one call of the API: an object, or the results as JSONL. Raises Denied."""
        now, host = context.started, context.call.headers.get("host", "simulator.invalid")
        named, _, verb = context.call.path.removeprefix(BATCHES).strip("/").partition("/")
        if not named and context.call.method == "POST":
            made = self.create(context.body, workspace=context.workspace, headers=context.call.headers, now=now)
            return made.body(now, host)
        if not named:
            query = dict(parse_qsl(context.call.query))
            return self.listed(query, workspace=context.workspace, now=now, host=host)
        batch = self.find(named, context.workspace)
        match context.call.method, verb:
            case "GET", "":
                return batch.body(now, host)
            case "GET", "results":
                return self.results(batch, now)
            case "POST", "cancel":
                self.cancel(batch, now)
                return batch.body(now, host)
            case "DELETE", "":
                return self.delete(batch, now)
        raise _missing("Not found")

    def queued(self) -> int:
        """Requests that wait to be worked on."""
        return sum(item.result is None for batch in self._open.values() for item in batch.items)

    def create(self, body: Any, *, workspace: str, headers: Mapping[str, str], now: float) -> Batch:
        """A new batch. Raises Denied for a malformed one; what its items ask for is judged when they are due."""
        requests = _checked(body)
        first, pace = now + self.rules.begins_after, self.rules.seconds_per_request
        items = [
            Item(custom_id=request["custom_id"], params=request["params"], due=first + number * pace)
            for number, request in enumerate(requests)
        ]
        made = f"msgbatch_sim{next(self._made):020d}"
        batch = Batch(id=made, workspace=workspace, headers=dict(headers), items=items, created=now)
        self._all[made] = self._open[made] = batch
        return batch

    def catch_up(self, now: float) -> None:
        """Work on everything that is due by now, in order of time, and settle what has expired or was cancelled."""
        due = [
            (item.due, batch, item)
            for batch in self._open.values()
            for item in batch.items
            if item.result is None and item.due <= min(now, batch.ends)
        ]
        for _, batch, item in sorted(due, key=lambda entry: entry[0]):
            item.result = self.work(batch, item)
        for batch in [batch for batch in self._open.values() if batch.ended(now)]:
            for item in batch.items:
                if item.result is None:
                    item.result = {"type": "expired" if batch.cancelled is None else "canceled"}
            del self._open[batch.id]

    def find(self, batch_id: str, workspace: str) -> Batch:
        """A batch of this workspace. Raises Denied (404)."""
        batch = self._all.get(batch_id)
        if batch is None or batch.workspace != workspace:
            raise _missing(f"Message Batch not found: {batch_id}")
        return batch

    def cancel(self, batch: Batch, now: float) -> None:
        """Ask for its end; asked twice, nothing changes. Raises Denied once it has ended."""
        if batch.ended(now):
            raise _refused(f"Message Batch {batch.id} has ended and can no longer be canceled")
        batch.cancelled = now if batch.cancelled is None else batch.cancelled

    def delete(self, batch: Batch, now: float) -> dict[str, Any]:
        """Take it away with its results. Raises Denied while it is processed."""
        if not batch.ended(now):
            raise _refused(f"Message Batch {batch.id} is still being processed; cancel it first")
        del self._all[batch.id]
        return {"id": batch.id, "type": "message_batch_deleted"}

    def results(self, batch: Batch, now: float) -> bytes:
        """The results, once there are any. Raises Denied (404) before the end, and when they are no longer kept."""
        if not batch.ended(now) or now >= batch.ends + ARCHIVED_AFTER:
            raise _missing(f"Message Batch {batch.id} has no available results")
        return batch.lines()

    def listed(self, query: Mapping[str, str], *, workspace: str, now: float, host: str) -> dict[str, Any]:
        """A page of this workspace's batches, newest first."""
        mine = [batch for batch in reversed(self._all.values()) if batch.workspace == workspace]
        return page(mine, query, id_of=lambda batch: batch.id, body_of=lambda batch: batch.body(now, host))


def barred(params: Any) -> Problem | None:
    """What an item may not ask for, whatever a single request may ("Batch processing", supported features)."""
    if not isinstance(params, Mapping):
        return Problem(rule="batch_item", message="params: Input should be a valid dictionary")
    for name in _BARRED:
        if params.get(name) not in (None, False, "standard"):
            return Problem(rule="batch_item", message=f"{name}: not supported in a Message Batch")
    if params.get("max_tokens") == 0:
        return Problem(rule="batch_item", message="max_tokens: 0 is not supported in a Message Batch")
    return None


def _checked(body: Any) -> Sequence[Mapping[str, Any]]:
    requests = body.get("requests") if isinstance(body, Mapping) else None
    if not isinstance(requests, list):
        raise _refused("requests: Input should be a valid list")
    if not 1 <= len(requests) <= MOST_ITEMS:
        raise _refused(f"requests: a batch holds 1 to {MOST_ITEMS} requests, not {len(requests)}")
    seen: set[str] = set()
    for index, request in enumerate(requests):
        _check_item(request, f"requests.{index}", seen)
    return requests


def _check_item(request: Any, at: str, seen: set[str]) -> None:
    if not isinstance(request, Mapping) or set(request) != {"custom_id", "params"}:
        raise _refused(f"{at}: Input should be an object with `custom_id` and `params`")
    custom_id = request["custom_id"]
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        raise _refused(f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if custom_id in seen:
        raise _refused(f"{at}.custom_id: must be unique within a batch; {custom_id!r} is not")
    seen.add(custom_id)


def _refused(message: str) -> Denied:
    return Denied(Problem(rule="batch", message=message))


def _missing(message: str) -> Denied:
    return Denied(Problem(rule="batch", message=message, status=404))
