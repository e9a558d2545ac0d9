"""Message Batches over a sync or an async client of the SDK: `submit`, `poll`, `results`, `cancel`, `recent`.

Values in, values out; what the SDK raises becomes a RemoteError. Handing in is tried once: the SDK's own retry of a
request that timed out would make a second batch, and pay for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sash.claude import translate
from sash.errors import NotSupported, SashError, Unavailable
from sash.flows.steps import NextResult, OpenResults, ReadBatch, RecentBatches, Step, SubmitBatch
from sash.model.batches import BatchItem, BatchResult, BatchState

_PAGE = 100


class BatchClient:
    """Over an `Anthropic` client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def submit(self, items: Sequence[BatchItem], *, betas: Sequence[str] = ()) -> BatchState:
        """Hand in the items as one batch. Raises RemoteError; without a status, it may have been made all the same."""
        with _translated():
            return _state(_once(self.client, betas).create(**_arguments(items, betas)))

    def poll(self, batch: str) -> BatchState:
        """How a batch stands."""
        with _translated():
            return _state(_batches(self.client).retrieve(batch))

    def cancel(self, batch: str) -> BatchState:
        """Ask for its end."""
        with _translated():
            return _state(_batches(self.client).cancel(batch))

    def recent(self, since: float) -> list[BatchState]:
        """The workspace's batches made at `since` or later, newest first."""
        found = []
        with _translated():
            for batch in _batches(self.client).list(limit=_PAGE):
                if (state := _state(batch)).created_at < since:
                    break
                found.append(state)
        return found

    def results(self, batch: str) -> Iterator[BatchResult]:
        """What became of every item of an ended batch, in no particular order, read as it is asked for."""
        with _translated():
            for line in _batches(self.client).results(batch):
                yield _result(line)

    def perform(self, step: Step[Any]) -> Any:
        """Do one step of those for batches."""
        match step:
            case SubmitBatch():
                return self.submit(step.items, betas=step.betas)
            case ReadBatch():
                return self.poll(step.id)
            case RecentBatches():
                return self.recent(step.since)
            case OpenResults():
                return self.results(step.id)
            case NextResult():
                return next(step.handle, None)
        raise NotSupported(f"no way to perform {type(step).__name__}", feature=type(step).__name__)


class AsyncBatchClient:
    """Over an `AsyncAnthropic` client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def submit(self, items: Sequence[BatchItem], *, betas: Sequence[str] = ()) -> BatchState:
        """Hand in the items as one batch. Raises RemoteError; without a status, it may have been made all the same."""
        with _translated():
            return _state(await _once(self.client, betas).create(**_arguments(items, betas)))

    async def poll(self, batch: str) -> BatchState:
        """How a batch stands."""
        with _translated():
            return _state(await _batches(self.client).retrieve(batch))

    async def cancel(self, batch: str) -> BatchState:
        """Ask for its end."""
        with _translated():
            return _state(await _batches(self.client).cancel(batch))

    async def recent(self, since: float) -> list[BatchState]:
        """The workspace's batches made at `since` or later, newest first."""
        found = []
        with _translated():
            async for batch in _batches(self.client).list(limit=_PAGE):
                if (state := _state(batch)).created_at < since:
                    break
                found.append(state)
        return found

    async def results(self, batch: str) -> AsyncIterator[BatchResult]:
        """What became of every item of an ended batch, in no particular order, read as it is asked for."""
        with _translated():
            async for line in await _batches(self.client).results(batch):
                yield _result(line)

    async def perform(self, step: Step[Any]) -> Any:
        """Do one step of those for batches."""
        match step:
            case SubmitBatch():
                return await self.submit(step.items, betas=step.betas)
            case ReadBatch():
                return await self.poll(step.id)
            case RecentBatches():
                return await self.recent(step.since)
            case OpenResults():
                return self.results(step.id)
            case NextResult():
                return await anext(step.handle, None)
        raise NotSupported(f"no way to perform {type(step).__name__}", feature=type(step).__name__)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except translate.error_types() as error:
        raise translate.remote_error(error) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # the SDK checks no answer
        if isinstance(error, SashError):
            raise
        raise translate.no_batch(error) from error


def _batches(client: Any) -> Any:
    found = getattr(client.messages, "batches", None)
    if found is None:
        raise NotSupported(f"{type(client).__name__} has no Message Batches; use the Claude API", feature="batches")
    return found


def _once(client: Any, betas: Sequence[str]) -> Any:
    _batches(client)
    single = client.with_options(max_retries=0)
    return single.beta.messages.batches if betas else single.messages.batches


def _arguments(items: Sequence[BatchItem], betas: Sequence[str]) -> dict[str, Any]:
    requests = [{"custom_id": item.custom_id, "params": dict(item.body)} for item in items]
    return {"requests": requests, **({"betas": list(betas)} if betas else {})}


def _state(batch: Any) -> BatchState:
    return BatchState(
        id=batch.id,
        status=batch.processing_status,
        counts={name: getattr(batch.request_counts, name) for name in _COUNTS},
        created_at=batch.created_at.timestamp(),
        expires_at=batch.expires_at.timestamp(),
        kept=batch.archived_at is None,
    )


_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


def _result(line: Any) -> BatchResult:
    result = line.result
    if result.type == "succeeded":
        try:
            return BatchResult(custom_id=line.custom_id, ending="succeeded", answer=translate.answer(result.message))
        except Unavailable as odd:  # an error object in the place of a message
            return BatchResult(custom_id=line.custom_id, ending="errored", error="api_error", message=odd.detail)
    if result.type == "errored":
        error = result.error.error
        return BatchResult(custom_id=line.custom_id, ending="errored", error=error.type, message=error.message)
    return BatchResult(custom_id=line.custom_id, ending=result.type)
