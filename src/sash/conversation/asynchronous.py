"""`AsyncConversation`: `Conversation` with `await`. A test holds both faces equal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from sash.claude.adapter import AsyncClaude
from sash.claude.clients import async_client, with_middleware
from sash.claude.functions import as_tools
from sash.claude.keys import first_client, keyed
from sash.conversation.arguments import turn_id
from sash.conversation.async_background import AsyncBackground
from sash.conversation.async_driver import AsyncRun, attentive, drive_async
from sash.conversation.base import ConversationBase, usage_sum
from sash.conversation.callers import this_task
from sash.conversation.drivers import Performer, Tell, asked, later
from sash.conversation.profile import AsyncProfile, async_profile_tool
from sash.conversation.streaming import AsyncReplyStream
from sash.conversation.tracing import performer
from sash.conversation.workers import worker
from sash.flows.history import branch
from sash.flows.history.branch import PastRequest
from sash.flows.history.instruct import instruct
from sash.flows.record import Record
from sash.flows.request.prepare import Prepared
from sash.flows.steps import Flow
from sash.limits.layers import flush
from sash.model.counts import Count
from sash.model.replies import Reply
from sash.model.summaries import SummaryRecord
from sash.model.turns import Turn
from sash.planning.plan import Plan
from sash.planning.rules import Problem
from sash.recall import Found
from sash.stores import Store, open_store
from sash.stores.port import UsageRow
from sash.types import CallOptions, Content, Results, RunOptions, SendOptions, ToolList

R = TypeVar("R")


class AsyncConversation(ConversationBase):
    """The same as `Conversation`, with `await`; planning, counting and the store work in a thread, off the event loop.

    So do a strategy, a router and a clock of yours, one at a time for one object. Nothing is opened before the first
    `await`. Use it as `async with AsyncConversation(...) as chat`.
    """

    _awaits = True

    def _begin(self, store: str | Path | Store | None) -> None:
        self._where = store
        self._store: Store | None = None
        self._claude: AsyncClaude | None = None
        self._opening = asyncio.Lock()
        self._turns = asyncio.Lock()
        self._summarising = AsyncBackground(f"sash {self.id} summarises")
        self._embedding = AsyncBackground(f"sash {self.id} embeds")

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the conversation, and what it opened itself: its store, its client from the environment."""
        self._closed = True
        await self._summarising.stop()
        await self._embedding.stop()
        if self._claude is not None:
            await worker(partial(flush, self._claude.client))
        if self._owns_client and self._claude is not None:
            await self._claude.client.close()
        if self._owns_store and self._store is not None:
            await worker(self._store.close)

    # ---- talking --------------------------------------------------------------------------------

    async def send(self, content: Content, **options: Unpack[SendOptions]) -> Reply:
        """Say something and wait for the reply. See `Conversation.send`."""
        arrived = self._clock()
        return await self._alone(lambda: self._send_flow(content, options, arrived))

    def stream(self, content: Content, **options: Unpack[SendOptions]) -> AsyncReplyStream:
        """Say something and get the reply as it comes: `async with chat.stream("...") as s: async for text in s`."""

        arrived = self._clock()
        return self._streaming(lambda: self._send_flow(content, options, arrived, stream=True))

    def stream_retry(self, **options: Unpack[CallOptions]) -> AsyncReplyStream:
        """`retry`, the reply as it comes."""
        return self._streaming(lambda: self._retry_flow(options, stream=True))

    def stream_regenerate(self, **options: Unpack[CallOptions]) -> AsyncReplyStream:
        """`regenerate`, the reply as it comes."""
        return self._streaming(lambda: self._regenerate_flow(options, stream=True))

    def stream_edit(self, turn: Turn | int, content: Content, **options: Unpack[CallOptions]) -> AsyncReplyStream:
        """`edit`, the reply as it comes."""
        return self._streaming(lambda: self._edit_flow(turn_id(turn), content, options, stream=True))

    async def submit(self, results: Results, **options: Unpack[CallOptions]) -> Reply:
        """Answer the tool calls of the newest reply. See `Conversation.submit`."""
        return await self._alone(lambda: self._submit_flow(results, options))

    async def run(
        self,
        content: Content | None = None,
        *,
        tools: ToolList | None = None,
        max_steps: int = 20,
        on_event: Tell | None = None,
        **options: Unpack[RunOptions],
    ) -> Reply:
        """Say something and call the functions Claude asks for. See `Conversation.run`.

        Coroutine functions are awaited, plain ones work in a thread; `on_event` may be either.
        """
        arrived = self._clock()
        return await self._alone(
            lambda: self._run_flow(content, tools, max_steps, on_event, options, arrived), tell=on_event
        )

    async def retry(self, **options: Unpack[CallOptions]) -> Reply:
        """Send what is pending again, or ask again after a reply cut short. Raises NothingToRetry."""
        return await self._alone(lambda: self._retry_flow(options))

    async def regenerate(self, **options: Unpack[CallOptions]) -> Reply:
        """Ask the newest question again, on a branch of its own; the first answer stays in the record."""
        return await self._alone(lambda: self._regenerate_flow(options))

    async def edit(self, turn: Turn | int, content: Content, **options: Unpack[CallOptions]) -> Reply:
        """Say `content` in the place of a user turn (a `Turn` or its id), on a branch of its own."""
        return await self._alone(lambda: self._edit_flow(turn_id(turn), content, options))

    async def check(self, *, repair: bool = False) -> list[Problem]:
        """What an imported or damaged history has wrong, and its repair. See `Conversation.check`."""
        if not repair:
            return await self._do(lambda: self._check_flow(repair))
        return await self._alone(lambda: self._check_flow(repair), talk=False)

    async def plan(self, content: Content, **options: Unpack[CallOptions]) -> Plan:
        """What would the request look like? Asks Claude nothing, writes nothing."""
        prepared: Prepared = await self._do(lambda: self._plan_flow(content, options))
        return prepared.plan

    async def count(
        self, content: Content | None = None, *, exact: bool = False, **options: Unpack[CallOptions]
    ) -> Count:
        """Tokens of the request that would send `content`, or of the view. See `Conversation.count`."""
        await (self._connect() if exact else self._open())
        return await self._do(lambda: self._count_flow(content, exact, options))

    # ---- looking back ---------------------------------------------------------------------------

    async def history(self, *, limit: int | None = None, after: int = 0) -> list[Turn]:
        """The turns of the present branch after seq `after`, oldest first; `limit` takes the newest ones."""
        return await self._ask(lambda: self._page(after, limit))

    async def recall(self, query: str, **settings: Any) -> list[Found]:
        """Turns of this conversation that answer `query`. See `Conversation.recall`."""
        return await self._ask(lambda: self._found(query, settings))

    async def request(self, number: int) -> PastRequest:
        """A past request rebuilt from the record, byte for byte. Raises NotFound."""
        return await self._ask(lambda: self._past_request(number))

    async def usage(self) -> UsageRow:
        """Tokens and dollars of this conversation so far."""
        store = await self._open()
        return usage_sum(await worker(lambda: store.usage(by=(), namespace=self.namespace, conversation=self.id)))

    async def tool_result(self, call: str) -> Any:
        """The whole recorded result of a tool call. See `Conversation.tool_result`."""
        return await self._ask(lambda: self._result(call))

    def result_tools(self) -> list[Any]:
        """Two function tools by which Claude reads on in results. See `Conversation.result_tools`."""

        async def recall_result(tool_use_id: str, start: int = 0, end: int | None = None) -> Any:
            """Read the result of an earlier tool call, whole or in part, that was shortened or cleared to save context.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
                start: the first character to read, from 0
                end: where to stop; leave it out to read to the end
            """
            return await self._ask(lambda: self._part_of_result(tool_use_id, start, end))

        async def search_result(tool_use_id: str, query: str) -> str:
            """Find the places in the result of an earlier tool call that hold words of a query.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
                query: words that are likely to stand there
            """
            return await self._ask(lambda: self._found_in_result(tool_use_id, query))

        return as_tools([recall_result, search_result])

    def recall_tool(self) -> Any:
        """A function tool by which Claude searches this conversation itself. See `Conversation.recall_tool`."""

        async def search_history(query: str) -> str:
            """Search everything said earlier in this conversation, also what is no longer shown.

            Args:
                query: what to look for, in words likely to have been used
            """
            return await self._ask(lambda: self._found_in_history(query))

        return as_tools([search_history])[0]

    @property
    def profile(self) -> AsyncProfile:
        """What the conversation's user said of themselves that holds. See `Conversation.profile`."""
        self._require_open()
        return AsyncProfile(self._ask, self._profile)

    def profile_tool(self) -> Any:
        """A function tool by which Claude keeps the user's profile. See `Conversation.profile_tool`."""
        return async_profile_tool(self._ask, self._profile)

    async def redact(self, turn: Turn | int, *, reason: str = "") -> int:
        """Take the words of a turn out of the record for good. See `Conversation.redact`."""
        return await self._alone(lambda: self._redact_flow(turn_id(turn), reason), talk=False)

    async def summaries(self) -> list[SummaryRecord]:
        """The summaries of this branch. See `Conversation.summaries`."""
        return await self._ask(self._summaries)

    async def resummarise(self, *, by: str | None = None, tokens: int | None = None) -> SummaryRecord:
        """Make the newest summary again from the record itself. See `Conversation.resummarise`."""
        await self._connect()
        return await self._do(lambda: self._resummarise_flow(by, tokens))

    async def wait_for_background(self) -> None:
        """Wait until what is done in the background (a summary, vectors) is done."""
        try:
            await self._summarising.wait()
        finally:
            await self._embedding.wait()

    async def fork(self, at: Turn | int | None = None, *, id: str | None = None) -> AsyncConversation:
        """A new conversation that shares the past up to the whole of the reply `at` (default: the newest).

        Raises InvalidOption for a turn that is no reply, or one that still waits for the server.
        """
        settings = self._session.for_a_fork(id)
        where = None if at is None else turn_id(at)
        await self._ask(lambda: branch.fork(self._chat(), where, settings["id"]))
        return AsyncConversation(self._store, client=None if self._owns_client else self._client, **settings)

    async def pin(self, turn: Turn | int, *, pinned: bool = True) -> None:
        """Keep the exchange that holds `turn` in every request, from the next cut on at the latest."""
        await self._ask(lambda: self._pin(turn_id(turn), pinned))

    async def instruct(self, content: Content) -> Turn:
        """Give an instruction that is in force from the next send on. See `Conversation.instruct`."""
        return await self._alone(lambda: instruct(self._chat(), content), talk=False)

    async def withdraw(self) -> int:
        """Take pending turns out of the view for good; they stay in the record. How many there were."""
        return await self._alone(lambda: asked(self._withdraw), talk=False)

    async def extend(self, messages: Iterable[Any]) -> Sequence[Turn]:
        """Record messages that were said elsewhere (`MessageParam`s or `Draft`s), without sending anything."""
        return await self._alone(lambda: self._extend_flow(messages), talk=False)

    async def describe(self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Give the conversation a title, or app metadata."""
        store = await self._open()
        await worker(lambda: store.describe(self.id, namespace=self.namespace, title=title, metadata=metadata))

    # ---- driving --------------------------------------------------------------------------------

    async def _open(self) -> Store:
        """Open store and conversation, once."""
        self._require_open()
        async with self._opening:
            if self._store is None:
                self._store = await worker(partial(open_store, self._where, self.namespace))
            if not self._session.is_open:
                opened = asked(lambda: self._session.open(self._record()))
                self._newest = await drive_async(opened, self._performer())
                self._catch_up()
        return self._store

    def _performer(self) -> Performer:
        return performer(self._spans, self._claude, self._clock, self._summarising.since())

    async def _connect(self) -> None:
        """Open, and make the client, once: off the event loop, for the SDK is a large import."""
        await self._open()
        async with self._opening:
            if self._claude is None:
                self._claude = await worker(self._make_client)

    def _make_client(self) -> AsyncClaude:
        self._client = async_client(first_client(self._session.keys, self._client, waits=True))
        client = with_middleware(self._client, self._session.layers.middleware(self._store, self._clock))
        return AsyncClaude(client, keyed(self._session.keys, client))

    def _record(self) -> Record:
        assert self._store is not None  # every flow begins behind _open
        return attentive(self._traced(self._store))

    async def _ask(self, ask: Callable[[], R]) -> R:
        """What is asked of the store alone."""
        return await self._do(lambda: asked(ask))

    async def _do(self, flow: Callable[[], Flow[R]]) -> R:
        await self._open()
        return await drive_async(later(flow), self._performer(), turns=self._turns)

    def _streaming(self, flow: Callable[[], Flow[Reply]]) -> AsyncReplyStream:
        async def start() -> AsyncRun:
            await self._connect()
            return AsyncRun(self._in_order(flow, this_task()), self._performer(), self._turns)

        return AsyncReplyStream(start, self._catch_up)

    async def _alone(self, flow: Callable[[], Flow[R]], *, talk: bool = True, tell: Tell | None = None) -> R:
        await (self._connect() if talk else self._open())
        try:
            return await drive_async(self._in_order(flow, this_task()), self._performer(), tell, self._turns)
        finally:
            self._catch_up()

    def _catch_up(self) -> None:
        """Begin what is due in the background; nothing after the end."""
        if self._closed:
            return
        self._start(self._summarising, self._model_due())
        self._start(self._embedding, self._embedding_due())

    def _start(self, background: AsyncBackground, due: Callable[[], Flow[Any]] | None) -> None:
        if due is not None:
            background.start(lambda: drive_async(due(), self._performer()))
