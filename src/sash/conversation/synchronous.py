"""`Conversation`: the object people build on.

Each method starts a flow (`sash.flows`) and drives it (`drivers.py`); what it shares with `AsyncConversation`, from
arguments to settings and flows, is in `ConversationBase`. Plain anthropic-SDK objects go in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

from sash.claude.adapter import Claude
from sash.claude.clients import sync_client, with_middleware
from sash.claude.functions import as_tools
from sash.claude.keys import first_client, keyed
from sash.conversation.arguments import turn_id
from sash.conversation.background import Background
from sash.conversation.base import ConversationBase, usage_sum
from sash.conversation.callers import this_thread
from sash.conversation.drivers import Performer, RunningFlow, Tell, asked, drive
from sash.conversation.notebook import drawn
from sash.conversation.profile import profile_tool
from sash.conversation.streaming import ReplyStream
from sash.conversation.tracing import performer
from sash.flows.history import branch
from sash.flows.history.branch import PastRequest
from sash.flows.history.instruct import instruct
from sash.flows.profile import Profile
from sash.flows.record import Record
from sash.flows.request.prepare import Prepared
from sash.flows.steps import Flow
from sash.limits.layers import flush
from sash.model.closing import Closing
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


class Conversation(ConversationBase, Closing):
    """A conversation with a memory, kept in a SQLite file (or any store).

    What is remembered:

    ===============  ==================================================================================================
    `store`          a path, a store (`sash.open`), or None for memory
    `id`             names the conversation in the store; None makes one up
    `namespace`      the tenant it belongs to
    `user`           whose it is, by the application's own id; None: what the record says, or nobody's
    `system`         the system prompt, as the SDK takes it; None: what the record says was last in force
    `tools`          typed functions, the SDK's function tools, or definitions; None: those last in force
    `memory`         "none", "lean", "balanced" (default), "full" or "all": sets the three below, `keep` and the budget
    `strategy`       what leaves the view, and when: by default `Economic()`, by price
    `summarise`      True, a model's id or `Summarised(...)`: what leaves is summarised first, in the background
    `recall`         a `Recall`, True or False: what left the view and answers a new question is attached to it
    `create`         False: the conversation must exist already
    ===============  ==================================================================================================

    What it may cost:

    ===============  ==================================================================================================
    `budget`         the most prompt tokens of a request (32,000; with memory="all" 100,000)
    `keep`           the recent tokens that always stay verbatim (budget / 4; "lean": / 16, "all": / 2)
    `max_tokens`     the most tokens of a reply (8,192)
    `max_result`     tokens of a tool's result above which its beginning and its end are sent, and Claude may read on
                     (None: by price, where `result_tools()` are among the tools; else results are sent whole)
    `cache`          "auto": the strategy chooses the lifetime of markers; "5m", "1h" or `Marks` fix it; None: no marker
    `counter`        what tokens are estimated with: "auto" takes the best at hand of "ctok", "tiktoken" and "features"
    `count_online`   whether count-tokens may be asked when an estimate is not sure enough (True)
    `ceilings`       a `sash.limits.Ceiling` of dollars or tokens, several, or `Ceilings` that say what happens there
    `memo`           True or a `MemoPolicy`: identical requests are answered from memory, where no tools are offered
    `dedupe_window`  seconds in which the same text again gets the first one's reply (0: none)
    ===============  ==================================================================================================

    Who answers:

    ===============  ==================================================================================================
    `client`         an `Anthropic` client, "simulator", or None for one from the environment, made at the first request
    `model`          a model's id; None: the one last in force, or claude-sonnet-5-5
    `card`           what is known of the model (`sash.card`), where it is not in the table
    `keys`           several API keys (`sash.claude.keys.Key`) or a `KeyPool`: one at a time, the next when it is out
    `fallback`       models to ask when this one cannot, or a `sash.planning.routing.Fallback`
    `router`         chooses the model of every request: a `Router`, or any callable from `Asked`
    `tier`           tells the router who asks
    ===============  ==================================================================================================

    How it is sent (each acts per attempt; as a value, or as middleware shared with other clients):

    ===============  ==================================================================================================
    `limits`         `sash.limits.Limits`, "start", "build", "scale" or True (learned from headers): requests wait
    `priority`       "interactive" or "background": who goes first where requests wait
    `max_wait`       seconds that a call may wait for its turn, and a request at a limit (None: any time)
    `retries`        True or a `RetryPolicy`: the SDK's retries, within reason
    `breaker`        True or a `BreakerPolicy`: fails fast while a model is down
    `meter`          True, `Alerts` or a `Meter`: every attempt is written down
    `busy`           "wait" or "error": what a call does while another one writes to this conversation, wherever
    `background`     "here": summaries ahead of time, vectors and profiles are made beside the conversation; "worker":
                     processes of `sash worker` make them (`sash.worker`), for a record that these can open
    `clock`          a function that tells unix seconds (`time.time`)
    ===============  ==================================================================================================

    Further options are those of `messages.create` and apply to every send.

    Raises CallerErrors for what cannot work, a misspelt name (it says the nearest) and a wrong value of any setting
    included, before there is a file; StoreErrors for a file that cannot be opened. `strategy`, `budget`, `keep`,
    `max_tokens` and `recalls` may be set later; they are checked then.
    """

    _awaits = False

    def _begin(self, store: str | Path | Store | None) -> None:
        self._store = open_store(store, self.namespace)
        self._claude: Claude | None = None
        self._summarising = Background(f"sash {self.id} summarises")
        self._embedding = Background(f"sash {self.id} embeds")
        try:
            self._newest = self._session.open(self._record())
            self._catch_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the conversation, and what it opened itself: its store, its client from the environment."""
        self._closed = True
        self._summarising.stop()
        self._embedding.stop()
        if self._claude is not None:
            flush(self._claude.client)
        if self._owns_client and self._claude is not None:
            self._claude.client.close()
        if self._owns_store:
            self._store.close()

    # ---- talking --------------------------------------------------------------------------------

    def send(self, content: Content, **options: Unpack[SendOptions]) -> Reply:
        """Say something and wait for the reply.

        `content`: a string, SDK blocks, or a user message. `options`: those of `messages.create`, plus
        `model`, `system`, `tools`, `max_tokens` (in force from then on, as are thinking and effort), and
        `output_format`, a pydantic class: then `reply.parsed` is an object of it (else ReplyUnparsed, all recorded).
        `token`: the client's own name for this submission; the same one again gets the first reply, whoever asks.
        `bypass_memo=True`: the reply does not come from the memo.
        Raises CallerErrors before anything is sent or written, RemoteErrors with the turn safe in the record.
        """
        arrived = self._clock()
        return self._alone(lambda: self._send_flow(content, options, arrived))

    def stream(self, content: Content, **options: Unpack[SendOptions]) -> ReplyStream:
        """Say something and get the reply as it comes: `with chat.stream("...") as s: for text in s: ...`."""

        arrived = self._clock()
        return self._streaming(lambda: self._send_flow(content, options, arrived, stream=True))

    def stream_retry(self, **options: Unpack[CallOptions]) -> ReplyStream:
        """`retry`, the reply as it comes."""
        return self._streaming(lambda: self._retry_flow(options, stream=True))

    def stream_regenerate(self, **options: Unpack[CallOptions]) -> ReplyStream:
        """`regenerate`, the reply as it comes."""
        return self._streaming(lambda: self._regenerate_flow(options, stream=True))

    def stream_edit(self, turn: Turn | int, content: Content, **options: Unpack[CallOptions]) -> ReplyStream:
        """`edit`, the reply as it comes."""
        return self._streaming(lambda: self._edit_flow(turn_id(turn), content, options, stream=True))

    def submit(self, results: Results, **options: Unpack[CallOptions]) -> Reply:
        """Answer the tool calls of the newest reply, all in one user turn, and wait for the next reply.

        `results`: `tool_result` blocks, or a mapping from call id to a result (text, blocks, any JSON value, or the
        exception that came instead). A call without a result is answered with an error. Raises InvalidContent,
        with nothing written, for ids that no open call has.
        """
        return self._alone(lambda: self._submit_flow(results, options))

    def run(
        self,
        content: Content | None = None,
        *,
        tools: ToolList | None = None,
        max_steps: int = 20,
        on_event: Tell | None = None,
        **options: Unpack[RunOptions],
    ) -> Reply:
        """Say something and call the functions Claude asks for until it is done; the last reply.

        `tools`: typed functions, function tools of the SDK, or definitions (a call to one of those ends the run, for
        `submit`); default: those in force. `max_steps`: the most requests. `on_event`: called with the SDK's events
        of every reply as they come, and with a `RunEvent` for each reply and each result; what it raises ends the
        run. What a function raises goes to Claude as an error result. Usage, cost and latency are those of the
        whole run, `reply.steps` has its replies. Without content, a run that was left goes on. `token`: as in `send`; a
        run that was left in the middle goes on when it comes again.
        """
        arrived = self._clock()
        return self._alone(lambda: self._run_flow(content, tools, max_steps, on_event, options, arrived), tell=on_event)

    def retry(self, **options: Unpack[CallOptions]) -> Reply:
        """Send what is pending again, or ask again after a reply cut short. Raises NothingToRetry."""
        return self._alone(lambda: self._retry_flow(options))

    def regenerate(self, **options: Unpack[CallOptions]) -> Reply:
        """Ask the newest question again, on a branch of its own; the first answer stays in the record."""
        return self._alone(lambda: self._regenerate_flow(options))

    def edit(self, turn: Turn | int, content: Content, **options: Unpack[CallOptions]) -> Reply:
        """Say `content` in the place of a user turn (a `Turn` or its id), on a branch of its own."""
        return self._alone(lambda: self._edit_flow(turn_id(turn), content, options))

    def check(self, *, repair: bool = False) -> list[Problem]:
        """What an imported or damaged history has wrong: the record by its rules, and the next request.

        `repair` changes what is sent of the turns at fault, so that the next send is legal; the record keeps them as
        they came. What was wrong is returned, each with what was `done`, and every other turn that changed along.
        """
        if not repair:
            return self._do(lambda: self._check_flow(repair))
        return self._alone(lambda: self._check_flow(repair), talk=False)

    def plan(self, content: Content, **options: Unpack[CallOptions]) -> Plan:
        """What would the request look like? Asks Claude nothing, writes nothing."""
        prepared: Prepared = self._do(lambda: self._plan_flow(content, options))
        return prepared.plan

    def count(self, content: Content | None = None, *, exact: bool = False, **options: Unpack[CallOptions]) -> Count:
        """Tokens of the request that would send `content` (None: of the view as it stands), with provenance.

        `exact` asks the count-tokens endpoint (free, but a request). Nothing is written.
        """
        performer = self._talker if exact else self._performer
        self._require_open()
        return drive(self._count_flow(content, exact, options), performer())

    # ---- looking back ---------------------------------------------------------------------------

    def history(self, *, limit: int | None = None, after: int = 0) -> list[Turn]:
        """The turns of the present branch after seq `after`, oldest first; `limit` takes the newest ones."""
        return self._ask(lambda: self._page(after, limit))

    def recall(self, query: str, **settings: Any) -> list[Found]:
        """Turns of this conversation that answer `query`, by words and (`semantic`) by meaning, the best first.

        Settings are those of `sash.recall.Recall`: `tokens` that quoting them may take in all, `neighbours`, `words`,
        `semantic` (True for the small embedder of the extra `semantic`, or an `Embedder` of yours: then what has no
        vector yet is embedded first; default: as questions are recalled for). An empty query finds nothing. Raises
        InvalidOption, MissingExtra.
        """
        return self._ask(lambda: self._found(query, settings))

    def request(self, number: int) -> PastRequest:
        """A past request rebuilt from the record, byte for byte. Raises NotFound."""
        return self._ask(lambda: self._past_request(number))

    def usage(self) -> UsageRow:
        """Tokens and dollars of this conversation so far."""
        self._require_open()
        return usage_sum(self._store.usage(by=(), namespace=self.namespace, conversation=self.id))

    def tool_result(self, call: str) -> Any:
        """The whole recorded result of a tool call by the call's id: text or blocks. Raises NotFound."""
        return self._ask(lambda: self._result(call))

    def result_tools(self) -> list[Any]:
        """Two function tools by which Claude reads on in results that were shortened or cleared: give them to `run`.

        `recall_result(tool_use_id, start, end)` reads a result whole or in part, `search_result(tool_use_id, query)`
        finds words in it. With `max_result` set, a run offers them by itself.
        """

        def recall_result(tool_use_id: str, start: int = 0, end: int | None = None) -> Any:
            """Read the result of an earlier tool call, whole or in part, that was shortened or cleared to save context.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
                start: the first character to read, from 0
                end: where to stop; leave it out to read to the end
            """
            return self._ask(lambda: self._part_of_result(tool_use_id, start, end))

        def search_result(tool_use_id: str, query: str) -> str:
            """Find the places in the result of an earlier tool call that hold words of a query.

            Args:
                tool_use_id: the id of the call, as its placeholder names it
                query: words that are likely to stand there
            """
            return self._ask(lambda: self._found_in_result(tool_use_id, query))

        return as_tools([recall_result, search_result])

    def recall_tool(self) -> Any:
        """A function tool by which Claude searches this conversation itself: give it to `run` with your own tools."""

        def search_history(query: str) -> str:
            """Search everything said earlier in this conversation, also what is no longer shown.

            Args:
                query: what to look for, in words likely to have been used
            """
            return self._ask(lambda: self._found_in_history(query))

        return as_tools([search_history])[0]

    @property
    def profile(self) -> Profile:
        """What the conversation's user said of themselves that holds, over all conversations; to look at and to change.

        Raises InvalidOption where the conversation is nobody's.
        """
        self._require_open()
        return self._profile()

    def profile_tool(self) -> Any:
        """A function tool by which Claude tells the user what is remembered about them, adds to it and forgets."""
        self._profile()
        return profile_tool(self._profile)

    def redact(self, turn: Turn | int, *, reason: str = "") -> int:
        """Take the words of a turn out of the record for good, on a user's request; how many turns it were.

        It may stand on any branch. Turns that repeat it (`regenerate`) go along, and its entries in the indexes,
        attachments that quote it and summaries that cover it. A gap stays in its place, `reason` in the audit (table
        `forgotten`). Raises NotFound.
        """
        return self._alone(lambda: self._redact_flow(turn_id(turn), reason), talk=False)

    def summaries(self) -> list[SummaryRecord]:
        """The summaries of this branch in the order they were made, each with its sources, cost and report."""
        return self._ask(self._summaries)

    def resummarise(self, *, by: str | None = None, tokens: int | None = None) -> SummaryRecord:
        """Make the newest summary again from the record itself; the earlier one is kept.

        `by`: the model that reads; `tokens`: the most it may have (default: those of the strategy). It stands in the
        view from the next cut on, if its `state` is ready. Raises NotFound without a summary, ConversationBusy while
        one is being made, RemoteErrors.
        """
        self._require_open()
        return drive(self._resummarise_flow(by, tokens), self._talker())

    def wait_for_background(self) -> None:
        """Wait until what is done in the background (a summary, vectors) is done: for tests, replays, scripts."""
        try:
            self._summarising.wait()
        finally:
            self._embedding.wait()

    def fork(self, at: Turn | int | None = None, *, id: str | None = None) -> Conversation:
        """A new conversation that shares the past up to the whole of the reply `at` (default: the newest).

        Raises InvalidOption for a turn that is no reply, or one that still waits for the server.
        """
        settings = self._session.for_a_fork(id)
        where = None if at is None else turn_id(at)
        self._ask(lambda: branch.fork(self._chat(), where, settings["id"]))
        return Conversation(self._store, client=None if self._owns_client else self._client, **settings)

    def pin(self, turn: Turn | int, *, pinned: bool = True) -> None:
        """Keep the exchange that holds `turn` in every request, from the next cut on at the latest."""
        self._ask(lambda: self._pin(turn_id(turn), pinned))

    def instruct(self, content: Content) -> Turn:
        """Give an instruction that is in force from the next send on, without touching the cached prefix.

        `content`: text, or text blocks. Recorded as a turn of role system; sent behind what the user says next, as
        tagged user text where the model takes no such turns (`plan.notes` says so), and again after each cut.
        """
        return self._alone(lambda: instruct(self._chat(), content), talk=False)

    def withdraw(self) -> int:
        """Take pending turns out of the view for good; they stay in the record. How many there were."""
        return self._alone(lambda: asked(self._withdraw), talk=False)

    def extend(self, messages: Iterable[Any]) -> Sequence[Turn]:
        """Record messages that were said elsewhere (`MessageParam`s or `Draft`s), without sending anything."""
        return self._alone(lambda: self._extend_flow(messages), talk=False)

    def describe(self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Give the conversation a title, or app metadata."""
        self._require_open()
        self._store.describe(self.id, namespace=self.namespace, title=title, metadata=metadata)

    def _repr_html_(self) -> str:
        return drawn(self)

    # ---- driving --------------------------------------------------------------------------------

    def _record(self) -> Record:
        return self._traced(self._store)

    def _performer(self) -> Performer:
        return performer(self._spans, self._claude, self._clock, self._summarising.since())

    def _talker(self) -> Performer:
        """A performer with a client; made late, so that looking at a conversation needs no key."""
        if self._claude is None:
            self._client = sync_client(first_client(self._session.keys, self._client, waits=False))
            client = with_middleware(self._client, self._session.layers.middleware(self._store, self._clock))
            self._claude = Claude(client, keyed(self._session.keys, client))
        return self._performer()

    def _ask(self, ask: Callable[[], R]) -> R:
        """What is asked of the store alone."""
        self._require_open()
        return ask()

    def _do(self, flow: Callable[[], Flow[R]]) -> R:
        self._require_open()
        return drive(flow(), self._performer())

    def _streaming(self, flow: Callable[[], Flow[Reply]]) -> ReplyStream:
        def start() -> RunningFlow:
            self._require_open()
            return RunningFlow(self._in_order(flow, this_thread()), self._talker())

        return ReplyStream(start, self._catch_up)

    def _alone(self, flow: Callable[[], Flow[R]], *, talk: bool = True, tell: Tell | None = None) -> R:
        """Drive a flow that writes: one at a time, whoever else writes to this conversation."""
        self._require_open()
        performer = self._talker() if talk else self._performer()
        try:
            return drive(self._in_order(flow, this_thread()), performer, tell)
        finally:
            self._catch_up()

    def _catch_up(self) -> None:
        """Begin what is due in the background; nothing after the end."""
        if self._closed:
            return
        self._start(self._summarising, self._model_due())
        self._start(self._embedding, self._embedding_due())

    def _start(self, background: Background, due: Callable[[], Flow[Any]] | None) -> None:
        if due is not None:
            background.start(lambda: drive(due(), self._performer()))
