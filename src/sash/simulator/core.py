"""The simulator itself: one organization's Claude, from an HTTP call to an answer. No transport, no sockets.

`Simulator.handle` routes a call, and answers it at once or as a stream; what a request is answered with and costs is
`service`'s. All time comes from `clock`. Client, async client and loopback server hang on it as methods.
A further endpoint is a line in `_ROUTES` and a method that returns an `Answer`.
"""

# no `annotations` of the future: whoever inherits these fields elsewhere has other names at hand

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from sash.errors import InvalidOption
from sash.model.usage import Usage
from sash.simulator import batches, cassettes, checks, files, models, wire
from sash.simulator.batches import BATCHES, ITEMS, Batch, Batches, BatchRules, Item
from sash.simulator.billing import dollars
from sash.simulator.cache import Lookup
from sash.simulator.calls import Attempt, Context, Denied
from sash.simulator.cassettes import Cassette
from sash.simulator.client import async_client_of, client_of
from sash.simulator.clock import rfc3339
from sash.simulator.faults import (
    MESSAGES,
    ConnectionLost,
    CutStream,
    Fault,
    HttpError,
    OddBody,
    Overloaded,
    ServerError,
    SpendLimitReached,
    SpoiltInput,
    Timeout,
)
from sash.simulator.files import FILES
from sash.simulator.latency import Latency, check_latency, latency_of
from sash.simulator.limits import Limiter, Limits, Refused, Tier
from sash.simulator.prompt import Prompt
from sash.simulator.scripts import Rules, Script, Scripted, read_script, run_script
from sash.simulator.server import Serving
from sash.simulator.service import Body, Prepared, Service, mapping, silence_of
from sash.simulator.shapes import Problem
from sash.simulator.wire import Answer, Break, Call, Pause, Piece, Silence
from sash.simulator.writing import Written

UNDER_WAY = 64
"""Bytes of an event that are written before it is known that nobody reads on: about a text delta."""
COUNT_TOKENS = "/v1/messages/count_tokens"


@dataclass(kw_only=True, eq=False, repr=False)
class Simulator(Service):
    """A local Claude, precise enough to bill. Every option has the default of a new account without limits."""

    limits: Limits | Tier | None = None
    """Rate limits, or a tier's name; None: none, and no headers."""
    spend_cap: float | None = None
    """Dollars a calendar month (UTC), beyond which nothing is answered: 429 without `retry-after`, an error code."""
    keys: Mapping[str, str] | Iterable[str] | None = None
    """API keys, with the workspace of each where it is a mapping; None: any key or none will do."""
    count_error: float = 0.0
    """count_tokens is off by up to this share (deterministic per prompt): the real one is an estimate."""
    first_event_after: float = 0.0
    """Seconds until a reply begins."""
    seconds_per_token: float = 0.0
    """Seconds for each output token; in a stream an event comes once all that it carries is written."""
    latency: Latency | Literal["real"] | None = None
    """The pace of each model in the place of the two above: "real" as such models have been seen, or one's own."""
    cassette: Cassette | str | Path | None = None
    """Recorded answers, given to the calls that they were given to; what is not in it is simulated."""
    batch_rules: BatchRules = field(default_factory=BatchRules)
    """How fast batches are worked on."""
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _limiter: Limiter | None = field(init=False)
    _batches: Batches = field(init=False)
    _workspaces: dict[str, str] | None = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.count_error < 1:
            raise InvalidOption("count_error is a share from 0 to 1", option="count_error", value=self.count_error)
        check_latency(self.latency)
        super().__post_init__()
        if isinstance(self.cassette, str | Path):
            self.cassette = Cassette(self.cassette)
        self.accept_foreign_thinking = self.accept_foreign_thinking or self.cassette is not None
        self._limiter = Limiter(self.limits) if self.limits is not None else None
        self._batches = Batches(self._work, self.batch_rules)
        self._workspaces = _workspaces(self.keys, self.workspace)

    def __repr__(self) -> str:
        return f"<Simulator: {len(self.log)} requests, ${self.cost:.4f}, {self.clock!r}>"

    # ---- for whoever uses it

    @property
    def cost(self) -> float:
        """Dollars spent so far, on batches that are due too."""
        with self._lock:
            self._batches.catch_up(self.clock.now())
        return sum(attempt.cost for attempt in self.log)

    @property
    def messages(self) -> list[Attempt]:
        """The attempts on /v1/messages."""
        return [attempt for attempt in self.log if attempt.path == MESSAGES]

    def client(self, **options: Any) -> Any:
        """An `anthropic.Anthropic` that talks to this simulator in process; `options` are the SDK's."""
        return client_of(self, self.clock, options)

    def async_client(self, **options: Any) -> Any:
        """An `anthropic.AsyncAnthropic` that talks to this simulator in process; `options` are the SDK's."""
        return async_client_of(self, self.clock, options)

    def serve(self, port: int = 0) -> Serving:
        """A server on loopback, running until closed: `with sim.serve() as url`. Port 0 takes a free one."""
        return Serving(self, self.clock, port)

    def script(self, replies: Script | Rules | Iterable[Scripted]) -> None:
        """What to reply from now on: one after the other, what a function of the body returns, or what rules say.

        A reply is text, a list of blocks, a `Reply`, or None for the simulator's own. After the last one of a
        list the simulator answers by itself again. A single text is not a list of replies: InvalidOption.
        """
        if isinstance(replies, str):
            raise InvalidOption(f"script({replies!r:.40}): give a list of replies", option="script", value=replies)
        with self._lock:
            self._script = replies if callable(replies) or isinstance(replies, Rules) else list(replies)

    def follow(self, path: str | Path) -> None:
        """Answer from now on as a file says: rules in YAML, TOML or JSON, or a Python file (`sash.simulator.scripts`).

        Raises InvalidOption that names file and rule, MissingExtra for YAML without PyYAML.
        """
        if Path(path).suffix != ".py":
            self.script(read_script(path))
            return
        script, prepare = run_script(path)
        if script is not None:
            self.script(script)
        prepare(self)

    def fail_next(
        self, fault: Fault, *, times: int = 1, when: Callable[[Body], bool] | None = None, path: str = MESSAGES
    ) -> None:
        """The next `times` attempts on `path` (of those whose body fits `when`) meet this fault."""
        with self._lock:
            self.faults.fail_next(fault, times=times, when=when, path=path)

    def fail_at(self, number: int, fault: Fault, *, path: str = MESSAGES) -> None:
        """The `number`-th attempt on `path` since the beginning (1 is the first) meets this fault."""
        with self._lock:
            self.faults.fail_at(number, fault, path=path)

    def storm(self, rate: float, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        """From now on a share `rate` of the attempts on /v1/messages fails, with one of `faults` (529 by default)."""
        with self._lock:
            self.faults.storm(rate, faults, seed=seed)

    def calm(self) -> None:
        """No more faults, planned or by chance."""
        with self._lock:
            self.faults.calm()

    def revoke(self, key: str) -> None:
        """An API key that is refused (401) from now on. Raises InvalidOption where `keys` were not given or lack it."""
        if self._workspaces is None or key not in self._workspaces:
            raise InvalidOption("only a key given as keys= can be revoked", option="key", value="***")
        del self._workspaces[key]

    def check(self, body: Body, *, betas: Sequence[str] = (), version: str = checks.VERSION) -> list[str]:
        """The judge: every reason for which this request would be refused; empty when it would pass."""
        return [str(problem) for problem in self._judged(body, betas, version, counting=False)]

    def count(self, body: Body, *, betas: Sequence[str] = ()) -> int:
        """The prompt tokens a body (of create or count_tokens) is billed for. Raises InvalidOption when refused."""
        found = self._judged(body, betas, checks.VERSION, counting="max_tokens" not in body)
        if found:
            raise InvalidOption(f"the request would be refused: {found[0]}", option="body", value=found[0].rule)
        whole = self._files.read_in(body, self.workspace, self.clock.now())
        return self._rendered(whole, self._served(body["model"]), frozenset(betas)).prompt.total

    def _judged(self, body: Body, betas: Sequence[str], version: str, *, counting: bool) -> list[Problem]:
        known = self._card(str(body.get("model")))
        if known is None:
            return [Problem(rule="model", message=f"{body.get('model')} is not known", status=404)]
        found = checks.problems(body, known, betas=betas, version=version, counting=counting, rules=self.check_rules)
        if not found:
            try:
                whole = self._files.read_in(body, self.workspace, self.clock.now())
                self._rendered(whole, known, frozenset(betas))
            except Denied as denied:
                return [denied.problem]
        return found

    # ---- one call

    def handle(self, call: Call) -> Answer | Silence:
        """Answer one HTTP request. Safe to call from several threads."""
        with self._lock:
            context = Context(call=call, number=next(self._numbers), started=self.clock.now(), workspace=self.workspace)
            self._batches.catch_up(context.started)
            if isinstance(self.cassette, Cassette) and (recorded := self.cassette.find(call)) is not None:
                return self._replayed(context, recorded)
            try:
                return self._route(context)
            except Denied as denied:
                return self._error(context, denied.problem, denied.headers)

    def _replayed(self, context: Context, recorded: Answer) -> Answer:
        """An answer from the cassette, logged with what it used and would have cost."""
        body = mapping(_parsed(context.call.body))
        context.body = body
        events = list(recorded.pieces) if recorded.pieces is not None else []
        message = cassettes.message_in([piece for piece in events if isinstance(piece, bytes)], recorded.body)
        usage = message.get("usage")
        known = self._card(str(message.get("model")))
        used = Usage.billed(usage) if isinstance(usage, Mapping) else None
        self._record(
            context,
            status=recorded.status,
            message_id=message.get("id"),
            usage=used,
            cost=dollars(used, known, body) if used and known else 0.0,
            stop_reason=message.get("stop_reason"),
            replayed=True,
        )
        headers = self._headers(context, "application/json") | dict(recorded.headers)
        return replace(recorded, headers=headers, pieces=iter(events) if recorded.pieces is not None else None)

    def _route(self, context: Context) -> Answer | Silence:
        self._authenticate(context)
        handler = _ROUTES.get((context.call.method, context.call.path))
        if handler is None and context.call.method == "GET" and context.call.path.startswith("/v1/models/"):
            handler = Simulator._model
        if context.call.path.startswith(BATCHES):
            handler = Simulator._batch_call
        if context.call.path == FILES or context.call.path.startswith(f"{FILES}/"):
            handler = Simulator._file_call
        if handler is None:
            raise Denied(Problem(rule="route", message="Not found", status=404))
        return handler(self, context)

    def _authenticate(self, context: Context) -> None:
        if self._workspaces is None:
            return
        bearer = context.call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        workspace = self._workspaces.get(bearer or context.call.headers.get("x-api-key", ""))
        if workspace is None:
            message = "invalid API key" if bearer else "missing API key: send `Authorization: Bearer <key>`"
            raise Denied(Problem(rule="key", message=message, status=401))
        context.workspace = workspace

    def _error(self, context: Context, problem: Problem, headers: Mapping[str, str] | None = None) -> Answer:
        self._record(context, status=problem.status, error=problem.message)
        body = wire.problem_body(problem, context.request_id)
        return self._json(context, problem.status, body, headers)

    def _json(
        self, context: Context, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        named = self._headers(context, "application/json") | dict(headers or {})
        return Answer(status=status, headers=named, body=wire.dumps(body))

    def _headers(self, context: Context, content_type: str) -> dict[str, str]:
        return {
            "content-type": content_type,
            "request-id": context.request_id,
            "anthropic-organization-id": self.organization,
            "anthropic-workspace-id": context.workspace,
            **context.headers,
        }

    # ---- models

    def _list_models(self, context: Context) -> Answer:
        shown = models.page_body(self._known_cards(), dict(parse_qsl(context.call.query)))
        self._record(context, status=200)
        return self._json(context, 200, shown)

    def _model(self, context: Context) -> Answer:
        known = self._served(context.call.path.removeprefix("/v1/models/"))
        self._record(context, status=200)
        return self._json(context, 200, models.model_body(known))

    # ---- count_tokens

    def _count_tokens(self, context: Context) -> Answer | Silence:
        self._parse(context)
        self._read_files(context)
        context.fault = self.faults.draw(COUNT_TOKENS, mapping(context.body))
        if (early := self._stopped_before_work(context)) is not None:
            return early
        prepared = self._prepare(context, counting=True)
        if self._limiter and (over := self._limiter.take_count(prepared.card.id, context.started)):
            raise _limited(over)
        self._record(context, status=200)
        found: dict[str, Any] = {"input_tokens": _off_by(prepared.prompt, self.count_error)}
        if prepared.edited.before is not None:
            found["context_management"] = {"original_input_tokens": prepared.edited.before}
        return self._json(context, 200, found)

    # ---- files

    def _file_call(self, context: Context) -> Answer | Silence:
        _check_size(context.call, files.MOST_BYTES)
        context.fault = self.faults.draw(FILES, {})
        if (early := self._stopped_before_work(context)) is not None:
            return early
        found = self._files.answer(context)
        silence = silence_of(context.fault)
        self._record(context, status=None if silence else 200)
        return silence or self._json(context, 200, found)

    # ---- batches

    def _batch_call(self, context: Context) -> Answer | Silence:
        creates = context.call.method == "POST" and context.call.path == BATCHES
        if creates:
            self._parse(context, batches.MOST_BYTES)
        context.fault = self.faults.draw(context.call.path, mapping(context.body))
        if (early := self._stopped_before_work(context)) is not None:
            return early
        if self._limiter is not None:
            asked = mapping(context.body).get("requests") if creates else None
            queued = self._batches.queued() + len(asked) if isinstance(asked, list) else 0
            if over := self._limiter.take_batch(queued, context.started):
                raise _limited(over)
        found = self._batches.answer(context)
        silence = silence_of(context.fault)
        self._record(context, status=None if silence else 200)
        if silence is not None:
            return silence
        if isinstance(found, bytes):
            return Answer(status=200, headers=self._headers(context, "application/x-jsonl"), body=found)
        return self._json(context, 200, found)

    def _work(self, batch: Batch, item: Item) -> Mapping[str, Any]:
        """The result of a batch's item: what a request would have been answered with, at half the price."""
        context = Context(
            call=Call(method="POST", path=ITEMS, headers=batch.headers),
            number=next(self._numbers),
            started=item.due,
            workspace=batch.workspace,
            body=item.params,
            batch=batch.id,
        )
        try:
            return {"type": "succeeded", "message": self._worked(context)}
        except Denied as denied:
            self._record(context, status=denied.problem.status, error=denied.problem.message)
            return {"type": "errored", "error": wire.problem_body(denied.problem, context.request_id)}

    def _worked(self, context: Context) -> Body:
        if (problem := batches.barred(context.body)) is not None:
            raise Denied(problem)
        self._read_files(context)
        self._meet(context, ITEMS)
        if isinstance(context.fault, HttpError):
            raise Denied(_problem_of(context.fault))
        if isinstance(context.fault, Timeout | ConnectionLost | CutStream):
            raise Denied(_problem_of(ServerError()))
        if isinstance(context.fault, OddBody):
            self._record(context, status=200)
            return mapping(context.fault.body)
        prepared = self._prepare(context, counting=False)
        prepared, lookup = self._compacted(context, prepared, self._look_up(context, prepared))
        prepared, lookup, written = self._answered(context, prepared, lookup)
        message = self._bill(context, prepared, lookup, written)
        self.cache.commit(lookup, now=context.started)
        return message | self._late_fields(prepared)

    # ---- messages

    def _messages(self, context: Context) -> Answer | Silence:
        self._parse(context)
        self._resume(context)
        self._meet(context, MESSAGES)
        if (early := self._stopped_before_work(context)) is not None:
            return early
        prepared = self._prepare(context, counting=False)
        lookup = self._look_up(context, prepared)
        self._limit(context, prepared, lookup)
        prepared, lookup = self._compacted(context, prepared, lookup)
        prepared, lookup, written = self._answered(context, prepared, lookup)
        return self._deliver(context, prepared, lookup, written)

    def _parse(self, context: Context, most: int = checks.MAX_BYTES) -> None:
        _check_size(context.call, most)
        parsed = checks.parse_json(context.call.body)
        if isinstance(parsed, Problem):
            raise Denied(parsed)
        context.body = parsed

    def _resume(self, context: Context) -> None:
        """Put what a thread holds in front of what the request sends."""
        body = mapping(context.body)
        if body.get("thread") is not None:
            whole, thread = self._threads.resumed(body, context.betas, workspace=context.workspace, now=context.started)
            context.as_sent, context.body, context.thread = body, whole, thread
        self._read_files(context)

    def _read_files(self, context: Context) -> None:
        """Put the content of files in the place of their ids."""
        if b'"file_id"' in context.call.body or context.batch is not None:
            as_sent = context.body if context.as_sent is None else context.as_sent
            context.body = self._files.read_in(context.body, context.workspace, context.started)
            context.as_sent = as_sent

    def _hold(self, context: Context, message: Body | None) -> None:
        """The request of a thread is done; None: its reply never came whole."""
        if context.thread is not None:
            now = self.clock.now()
            self._threads.end(context.thread, context.body, message, workspace=context.workspace, now=now)

    def _stopped_before_work(self, context: Context) -> Answer | Silence | None:
        """What a fault answers by itself, before the request is looked at."""
        fault = context.fault
        if isinstance(fault, CutStream) and not mapping(context.body).get("stream"):
            fault = ConnectionLost() if fault.how == "lost" else Overloaded()
        if isinstance(fault, HttpError):
            return self._error(context, _problem_of(fault), fault.headers())
        if isinstance(fault, OddBody):
            self._record(context, status=200)
            return Answer(status=200, headers=self._headers(context, "application/json"), body=wire.dumps(fault.body))
        if isinstance(fault, Timeout | ConnectionLost) and not fault.billed:
            self._record(context, status=None)
            return silence_of(fault)
        return None

    def _limit(self, context: Context, prepared: Prepared, lookup: Lookup) -> None:
        if self.spend_cap is not None and self._spent_this_month(context.started) >= self.spend_cap:
            raise Denied(_problem_of(SpendLimitReached()))
        if self._limiter is None:
            return
        countable = lookup.use.fresh + lookup.use.write_5m + lookup.use.write_1h
        over = self._limiter.take(prepared.card.id, tokens=countable, now=context.started)
        context.headers |= self._limiter.headers(prepared.card.id, context.started)
        if over is not None:
            raise _limited(over)

    def _spent_this_month(self, now: float) -> float:
        month = rfc3339(now)[:7]
        return sum(attempt.cost for attempt in self.log if rfc3339(attempt.time)[:7] == month)

    def _deliver(self, context: Context, prepared: Prepared, lookup: Lookup, written: Written) -> Answer | Silence:
        message = self._bill(context, prepared, lookup, written)
        if self._limiter is not None:
            self._limiter.spend_output(prepared.card.id, written.output, context.started)
        silence, late = silence_of(context.fault), self._late_fields(prepared)
        if prepared.body.get("stream") and silence is None:
            return self._streamed(context, prepared, lookup, written, message, late)
        wait = self._pace(prepared).until_first(lookup.use.prompt - lookup.use.read)
        self.cache.commit(lookup, now=context.started + wait)
        self._hold(context, message)
        if silence is not None:
            return silence
        answer = self._json(context, 200, message | late)
        return replace(answer, pause=wait + self._duration(prepared, written))

    def _pace(self, prepared: Prepared) -> Latency:
        if self.latency is not None:
            return latency_of(self.latency, prepared.card.id)
        writing = 1 / self.seconds_per_token if self.seconds_per_token else None
        return Latency(first=self.first_event_after, writing=writing)

    def _duration(self, prepared: Prepared, written: Written) -> float:
        return written.seconds + self._pace(prepared).each() * written.output

    def _streamed(
        self, context: Context, prepared: Prepared, lookup: Lookup, written: Written, message: Body, late: Body
    ) -> Answer:
        events = list(wire.stream_events(message, late))
        if isinstance(context.fault, SpoiltInput):
            events = list(wire.with_inputs(events, context.fault.text))
        weights = wire.weights(events)
        pace = self._duration(prepared, written) / max(1, sum(weights))
        wait = self._pace(prepared).until_first(lookup.use.prompt - lookup.use.read)
        pieces = self._pieces(lookup, events, [pace * weight for weight in weights], context.fault, wait)
        pieces = self._watched(context, prepared, weights, pieces, pace)
        if context.thread is not None:
            pieces = self._held_in_the_end(context, message, pieces)
        return Answer(status=200, headers=self._headers(context, "text/event-stream; charset=utf-8"), pieces=pieces)

    def _watched(
        self, context: Context, prepared: Prepared, weights: Sequence[int], pieces: Iterator[Piece], pace: float
    ) -> Iterator[Piece]:
        """The stream; what nobody stayed to read of it was not written, and is not billed. `pace`: seconds a byte."""
        cut = context.fault if isinstance(context.fault, CutStream) else CutStream(events=len(weights))
        sent = 0
        try:
            for piece in pieces:
                yield piece
                sent += int(isinstance(piece, bytes) and sent < cut.events)
        finally:
            if any(weights[sent:]):
                begun = max(UNDER_WAY, cut.seconds / pace if pace else 0)
                written = sum(weights[:sent]) + min(begun, weights[sent])
                with self._lock:
                    self._stopped_early(context, prepared, written / sum(weights))

    def _held_in_the_end(self, context: Context, message: Body, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The stream of a thread's reply: all of it is held once it came whole, and none of it otherwise."""
        whole, last = False, b""
        with self._lock:
            self._threads.begin(context.thread or "")
        try:
            for piece in pieces:
                last = piece if isinstance(piece, bytes) else last
                yield piece
            whole = last.startswith(b"event: message_stop")
        finally:
            with self._lock:
                self._hold(context, message if whole else None)

    def _pieces(
        self, lookup: Lookup, events: Sequence[Body], paces: Sequence[float], fault: Fault | None, wait: float
    ) -> Iterator[Piece]:
        """The stream: what it wrote to the cache can be read once its first event is out."""
        cut = fault if isinstance(fault, CutStream) else None
        yield Pause(wait)
        for number, (change, pace) in enumerate(zip(events, paces, strict=True)):
            if cut is not None and number >= cut.events:
                yield from _cut_off(cut)
                return
            if number == 0:
                with self._lock:
                    self.cache.commit(lookup, now=self.clock.now())
            if pace:
                yield Pause(pace)
            yield wire.event(change)


_ROUTES: dict[tuple[str, str], Callable[[Simulator, Context], Answer | Silence]] = {
    ("POST", MESSAGES): Simulator._messages,
    ("POST", COUNT_TOKENS): Simulator._count_tokens,
    ("GET", "/v1/models"): Simulator._list_models,
}


def _parsed(raw: bytes) -> Any:
    return checks.parse_json(raw) if raw else None


def _cut_off(cut: CutStream) -> Iterator[Piece]:
    if cut.seconds:
        yield Pause(cut.seconds)
    if cut.how == "error":
        yield wire.event({"type": "error", "error": {"type": cut.kind, "message": cut.message}})
    elif cut.how == "lost":
        yield Break()


def _check_size(call: Call, most: int) -> None:
    """Raise Denied for a body of more bytes than that."""
    if (too_large := checks.size_problem(len(call.body), most)) is not None:
        raise Denied(too_large)


def _problem_of(fault: HttpError) -> Problem:
    return Problem(rule="fault", message=fault.message, status=fault.status, kind=fault.kind, code=fault.code)


def _limited(over: Refused) -> Denied:
    problem = Problem(rule="limits", message=over.message, status=429)
    return Denied(problem, {"retry-after": f"{over.retry_after:g}"})


def _workspaces(keys: Mapping[str, str] | Iterable[str] | None, workspace: str) -> dict[str, str] | None:
    if keys is None:
        return None
    return dict(keys) if isinstance(keys, Mapping) else dict.fromkeys(keys, workspace)


def _off_by(prompt: Prompt, share: float) -> int:
    """The prompt's size, off by at most `share`, always the same for the same prompt."""
    if not share or not prompt.keys:
        return prompt.total
    chance = int.from_bytes(prompt.keys[-1][:4], "big") / 0xFFFFFFFF * 2 - 1
    return round(prompt.total * (1 + share * chance))
