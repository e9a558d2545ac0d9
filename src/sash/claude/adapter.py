"""Performs the steps that need Claude, over a sync or an async client of the SDK.

The two classes differ in `await` alone; everything else is in `translate`. A stream handle is the SDK's
own stream object. Raises RemoteError for whatever the far side does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sash.claude import translate
from sash.claude.batch import AsyncBatchClient, BatchClient
from sash.claude.clients import reject_unsupported
from sash.claude.keys import Clients
from sash.claude.readable import readable
from sash.errors import NotSupported, SashError
from sash.flows.steps import BATCH_STEPS, CloseStream, CountTokens, NextEvent, OpenStream, Send, Snapshot, Step
from sash.limits.context import forecasting
from sash.model.answers import Answer


class Claude:
    """Over an `Anthropic` client."""

    def __init__(self, client: Any, keyed: Mapping[str, Any] | None = None) -> None:
        self.client = client
        self._clients = Clients(client, keyed)

    def perform(self, step: Step[Any]) -> Any:
        """Do one step."""
        if isinstance(step, BATCH_STEPS):
            return BatchClient(self._clients.of("")).perform(step)
        try:
            match step:
                case Send():
                    create = _messages(self._clients.of(step.wire.key), step.wire.betas).create
                    with forecasting(step.wire.forecast):
                        return translate.answer(create(**translate.call_arguments(step.wire)))
                case OpenStream():
                    open_stream = _messages(self._clients.of(step.wire.key), step.wire.betas).stream
                    with forecasting(step.wire.forecast):
                        stream = open_stream(**translate.call_arguments(step.wire)).__enter__()
                    if translate.is_json(stream.response):
                        raise translate.no_stream(stream.response, stream.response.read())
                    return readable(stream)
                case NextEvent():
                    with _reading():
                        raw = next(step.handle, None)
                    return None if raw is None else translate.event(raw)
                case Snapshot():
                    return _snapshot(step.handle)
                case CloseStream():
                    return step.handle.close()
                case CountTokens():
                    count = _messages(self._clients.of(""), step.betas).count_tokens
                    return translate.tokens(count(**translate.count_arguments(step.params, step.betas)))
        except translate.error_types() as error:
            raise translate.remote_error(error) from error
        raise NotSupported(f"no way to perform {type(step).__name__}", feature=type(step).__name__)


class AsyncClaude:
    """Over an `AsyncAnthropic` client."""

    def __init__(self, client: Any, keyed: Mapping[str, Any] | None = None) -> None:
        self.client = client
        self._clients = Clients(client, keyed)

    async def perform(self, step: Step[Any]) -> Any:
        """Do one step."""
        if isinstance(step, BATCH_STEPS):
            return await AsyncBatchClient(self._clients.of("")).perform(step)
        try:
            match step:
                case Send():
                    create = _messages(self._clients.of(step.wire.key), step.wire.betas).create
                    with forecasting(step.wire.forecast):
                        return translate.answer(await create(**translate.call_arguments(step.wire)))
                case OpenStream():
                    open_stream = _messages(self._clients.of(step.wire.key), step.wire.betas).stream
                    with forecasting(step.wire.forecast):
                        stream = await open_stream(**translate.call_arguments(step.wire)).__aenter__()
                    if translate.is_json(stream.response):
                        raise translate.no_stream(stream.response, await stream.response.aread())
                    return readable(stream)
                case NextEvent():
                    with _reading():
                        raw = await anext(step.handle, None)
                    return None if raw is None else translate.event(raw)
                case Snapshot():
                    return _snapshot(step.handle)
                case CloseStream():
                    return await step.handle.close()
                case CountTokens():
                    count = _messages(self._clients.of(""), step.betas).count_tokens
                    return translate.tokens(await count(**translate.count_arguments(step.params, step.betas)))
        except translate.error_types() as error:
            raise translate.remote_error(error) from error
        raise NotSupported(f"no way to perform {type(step).__name__}", feature=type(step).__name__)


@contextmanager
def _reading() -> Iterator[None]:
    """Around the SDK's reading of a stream: it raises plain errors where events make no sense."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, (SashError, *translate.error_types())):
            raise
        raise translate.stream_error(error) from error


def _messages(client: Any, betas: tuple[str, ...]) -> Any:
    reject_unsupported(client, betas)
    return client.beta.messages if betas else client.messages


def _snapshot(stream: Any) -> Answer | None:
    """What a stream has brought so far; None before its first event."""
    message = stream._current_snapshot_or_none()
    return None if message is None else translate.partial(message)
