"""The way of one request through the simulated service: judged, rendered, looked up, written, billed, logged.

`Service` holds what an organization is and has (models, rules, cache, script, log) and turns a parsed body into a
message body with its price. It knows calls by their `Context` alone: routes, keys, limits and streams are `core`'s.
"""

# no `annotations` of the future: whoever inherits these fields elsewhere has other names at hand

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from math import ceil
from typing import Any

from sash.model.cards import TABLE, ModelCard, base_name, card
from sash.model.usage import Usage
from sash.simulator import checks, compaction, editing, fallbacks, wire
from sash.simulator.billing import SEARCHES, dollars
from sash.simulator.cache import CacheRules, Lookup, PromptCache
from sash.simulator.calls import Attempt, Context, Declined, Denied
from sash.simulator.checks import CheckRules
from sash.simulator.clock import Clock
from sash.simulator.diagnosis import Diagnoser, Fingerprint
from sash.simulator.faults import ConnectionLost, Fault, FaultScript, Timeout
from sash.simulator.files import Files
from sash.simulator.prompt import THINKING, Prompt, PromptRules, conversation_chain, render
from sash.simulator.replies import Reply, reply_to, thought_about
from sash.simulator.scripts import Rules, Script, Scripted
from sash.simulator.shapes import Problem, shape_problems
from sash.simulator.thinking import Judgement, judge, without
from sash.simulator.threads import Threads
from sash.simulator.tokens import Tokenizer, remembering, tokenizer_for
from sash.simulator.wire import Silence
from sash.simulator.writing import Writer, Written

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that will be served."""

    body: Body
    card: ModelCard
    tokenizer: Tokenizer
    prompt: Prompt
    judged: Judgement
    edited: editing.Edited
    betas: frozenset[str]
    summary: Mapping[str, Any] | None = None
    """The block that a compaction by threshold put in the place of the messages."""


@dataclass(kw_only=True, eq=False, repr=False)
class Service:
    """One organization and its models. Every option has the default of a new account."""

    clock: Clock = field(default_factory=Clock)
    tokenizer: Tokenizer | None = None
    """Counts tokens of text for every model; None: the built-in rule of each model's generation."""
    cards: Mapping[str, ModelCard] = field(default_factory=dict)
    """Further models, or other facts of known ones, by id."""
    cache_rules: CacheRules = field(default_factory=CacheRules)
    prompt_rules: PromptRules = field(default_factory=PromptRules)
    check_rules: CheckRules = field(default_factory=CheckRules)
    workspace: str = "wrkspc_simulated"
    organization: str = "org_simulated"
    new_account: bool = True
    """Accounts created since 2026-08-31 have the binding of thinking enforced unasked ("Preserved thinking")."""
    accept_foreign_thinking: bool = False
    """Signatures recorded from the real API pass unchecked; else they are invalid."""
    thinking: bool | Callable[[Body], str] = True
    """Whether replies think where request and model do; or a function from body to thought."""
    bill_refusals: bool = True
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """Models that another one answers for, as behind a proxy: it counts and caches, is named in the reply, billed."""

    log: list[Attempt] = field(default_factory=list, init=False)
    cache: PromptCache = field(init=False)
    faults: FaultScript = field(default_factory=FaultScript, init=False)
    _script: Script | Rules | list[Scripted] | None = field(default=None, init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)
    _messages_made: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)
    _tools_called: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)
    _diagnoser: Diagnoser = field(default_factory=Diagnoser, init=False)
    _threads: Threads = field(default_factory=Threads, init=False)
    _files: Files = field(default_factory=Files, init=False)
    _tokenizer: Tokenizer | None = field(init=False)

    def __post_init__(self) -> None:
        self.cache = PromptCache(self.cache_rules)
        self._tokenizer = remembering(self.tokenizer) if self.tokenizer is not None else None

    def _record(self, context: Context, *, status: int | None, **facts: Any) -> None:
        hidden = ("authorization", "x-api-key")
        self.log.append(
            Attempt(
                number=context.number,
                time=context.started,
                method=context.call.method,
                path=context.call.path,
                headers={name: value for name, value in context.call.headers.items() if name not in hidden},
                betas=context.betas,
                body=context.body if context.as_sent is None else context.as_sent,
                workspace=context.workspace,
                request_id=context.request_id,
                status=status,
                fault=context.fault,
                batch=context.batch,
                **facts,
            )
        )

    def _known_cards(self) -> list[ModelCard]:
        return list((TABLE | dict(self.cards)).values())

    def _card(self, model: str) -> ModelCard | None:
        if model in self.cards:
            return self.cards[model]
        if not model.startswith("claude-") or base_name(model) not in TABLE:
            return None
        known = card(model)
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        return None if known.retires and today >= date.fromisoformat(known.retires) else known

    def _served(self, model: str) -> ModelCard:
        """The card of a model, or 404."""
        known = self._card(model)
        if known is None:
            raise Denied(Problem(rule="model", message=f"model: {model}", status=404))
        return known

    def _prepare(self, context: Context, *, counting: bool) -> Prepared:
        body, version = context.body, context.call.headers.get("anthropic-version", "")
        if version not in checks.VERSIONS:
            message = f"anthropic-version: {version or 'header is required'}"
            raise Denied(Problem(rule="version", message=f"{message}; known are {', '.join(checks.VERSIONS)}"))
        model = mapping(body).get("model")
        known = self._served(model) if isinstance(model, str) else next(iter(TABLE.values()))
        found = checks.problems(
            body, known, betas=context.betas, version=version, counting=counting, rules=self.check_rules
        )
        if found:
            raise Denied(found[0])
        answering = self._served(self.stand_ins.get(known.id, known.id))
        return self._rendered(body, answering, frozenset(context.betas), batch=context.batch is not None)

    def _rendered(self, body: Body, known: ModelCard, betas: frozenset[str], *, batch: bool = False) -> Prepared:
        """Judge the thinking, edit, render, and see that it fits. Raises Denied."""
        judged = judge(
            body,
            known,
            organization=self.organization,
            new_account=self.new_account,
            accept_foreign=self.accept_foreign_thinking,
            batch=batch,
        )
        if judged.problems:
            raise Denied(judged.problems[0])
        tokenizer = self._tokenizer or tokenizer_for(known)
        edited = editing.edit(without(body, judged.dropped), lambda part: self._render(part, known, tokenizer).total)
        prompt = self._render(edited.body, known, tokenizer)
        if prompt.total > known.window:
            message = f"prompt is too long: {prompt.total} tokens > {known.window} maximum"
            raise Denied(Problem(rule="window", message=message))
        return Prepared(
            body=body, card=known, tokenizer=tokenizer, prompt=prompt, judged=judged, edited=edited, betas=betas
        )

    def _render(self, body: Body, known: ModelCard, tokenizer: Tokenizer) -> Prompt:
        return render(body, known, tokenizer=tokenizer, rules=self.prompt_rules)

    def _look_up(self, context: Context, prepared: Prepared) -> Lookup:
        prompt = prepared.prompt
        return self.cache.look_up(
            prompt.keys,
            prompt.ends,
            prompt.markers,
            total=prompt.total,
            now=context.started,
            scope=(context.workspace, prepared.card.id),
            minimum=prepared.card.cache_minimum,
        )

    def _compacted(self, context: Context, prepared: Prepared, lookup: Lookup) -> tuple[Prepared, Lookup]:
        """The request as it goes on when its prompt passed the threshold at which it asks to be compacted."""
        if not compaction.triggered(prepared.body, prepared.prompt.total):
            return prepared, lookup
        self.cache.commit(lookup, now=context.started)
        text = compaction.summary(prepared.edited.body, prepared.tokenizer, compaction.MOST_TOKENS)
        block = {"type": "compaction", "content": text}
        context.compacted = lookup.use.usage(prepared.tokenizer(text))
        body = compaction.behind(prepared.body, block)
        shorter = replace(
            prepared,
            prompt=self._render(body, prepared.card, prepared.tokenizer),
            judged=Judgement(conversation_chain(body)),
            summary=block,
        )
        return shorter, self._look_up(context, shorter)

    def _meet(self, context: Context, path: str) -> None:
        """Which rule of the script, and which fault, this request meets; what is malformed meets no rule."""
        body = mapping(context.body)
        if isinstance(self._script, Rules) and not any(shape_problems(body, frozenset(context.betas), counting=False)):
            context.rule = self._script.choose(body)
        context.fault = self.faults.draw(path, body)
        if context.fault is None and context.rule is not None:
            context.fault = context.rule.fault

    def _answered(self, context: Context, prepared: Prepared, lookup: Lookup) -> tuple[Prepared, Lookup, Written]:
        """The reply, by the first model that does not decline; the request and its cache as they were for that one."""
        written = self._write(context, prepared)
        for body in fallbacks.attempts(prepared.body):
            if written.stop_reason != "refusal":
                break
            usage = lookup.use.usage(written.output)
            cost = dollars(usage, prepared.card, prepared.body) if self.bill_refusals else 0.0
            seam = fallbacks.seam(prepared.body["model"], body["model"], written.stop_details)
            spoken = tuple(block for block in written.content if block["type"] not in THINKING)
            context.declined += (Declined(usage=usage, cost=cost, content=(*spoken, seam)),)
            self.cache.commit(lookup, now=context.started)
            prepared = self._on_another(context, body, frozenset(prepared.betas))
            lookup = self._look_up(context, prepared)
            self._meet(context, fallbacks.HOPS)
            written = self._write(context, prepared)
        before = [block for attempt in context.declined for block in attempt.content]
        return prepared, lookup, replace(written, content=(*before, *written.content))

    def _on_another(self, context: Context, body: Body, betas: frozenset[str]) -> Prepared:
        """A request as it is made to a fallback model. Raises Denied for what that model does not take."""
        known = self._served(body["model"])
        found = checks.problems(body, known, betas=sorted(betas), rules=self.check_rules)
        if found:
            raise Denied(replace(found[0], message=f"fallbacks, {known.id}: {found[0].message}"))
        prepared = self._rendered(body, known, betas, batch=context.batch is not None)
        for attempt in context.declined:
            for block in attempt.content:
                prepared.judged.chain.fold("assistant", block)
        return prepared

    def _write(self, context: Context, prepared: Prepared) -> Written:
        if compaction.asked(prepared.body):
            return compaction.on_demand(
                prepared.body,
                prepared.card,
                prepared.tokenizer,
                prepared.judged,
                self._scripted(context, prepared.edited.body),
                context.fault,
            )
        if prepared.summary is None:
            return self._reply(context, prepared)
        if compaction.pauses(prepared.body):
            return Written(content=(dict(prepared.summary),), stop_reason="compaction", output=0)
        written = self._reply(context, prepared)
        return replace(written, content=(dict(prepared.summary), *written.content))

    def _reply(self, context: Context, prepared: Prepared) -> Written:
        thinker = self.thinking if callable(self.thinking) else thought_about if self.thinking else None
        writer = Writer(
            body=prepared.body,
            card=prepared.card,
            tokenizer=prepared.tokenizer,
            judged=prepared.judged,
            organization=self.organization,
            betas=prepared.betas,
            room=prepared.card.window - prepared.prompt.total,
            names=self._tools_called,
            thinker=thinker,
        )
        body = prepared.edited.body
        return writer.write(self._scripted(context, body) or reply_to(body), context.fault)

    def _scripted(self, context: Context, body: Body) -> Reply | None:
        """The reply on script, if one is left."""
        if isinstance(self._script, Rules):
            return context.rule.answer(mapping(context.body)) if context.rule else None
        scripted: Scripted = None
        if callable(self._script):
            scripted = self._script(body)
        elif self._script:
            scripted = self._script.pop(0)
        if scripted is None or isinstance(scripted, Reply):
            return scripted
        return Reply(content=scripted)

    def _bill(self, context: Context, prepared: Prepared, lookup: Lookup, written: Written) -> dict[str, Any]:
        """Count and log what a reply costs; the message as it goes out."""
        parts = self._parts(context, prepared, lookup, written)
        message_id = f"msg_sim{next(self._messages_made):020d}"
        message = self._message(context, prepared, written, parts, message_id)
        free = written.stop_reason == "refusal" and not self.bill_refusals
        batch = context.batch is not None
        own = parts[len(context.declined) :]
        cost = sum(dollars(usage, prepared.card, prepared.body, batch=batch) for _, usage in own)
        cost += SEARCHES * written.searches + sum(attempt.cost for attempt in context.declined)
        usage = sum((usage for _, usage in parts), Usage())
        self._record(
            context,
            status=None if silence_of(context.fault) else 200,
            message_id=message_id,
            usage=usage,
            cost=0.0 if free else cost,
            stop_reason=written.stop_reason,
        )
        return message

    def _stopped_early(self, context: Context, prepared: Prepared, share: float) -> None:
        """A stream that was cut or left: only this share of the reply was written, and is billed."""
        at = next(i for i in reversed(range(len(self.log))) if self.log[i].number == context.number)
        attempt = self.log[at]
        assert attempt.usage is not None  # `_bill` logged it
        wrote = replace(attempt.usage, output=ceil(attempt.usage.output * share))
        saved = dollars(attempt.usage, prepared.card, prepared.body) - dollars(wrote, prepared.card, prepared.body)
        self.log[at] = replace(attempt, usage=wrote, cost=max(0.0, attempt.cost - saved))

    def _parts(self, context: Context, prepared: Prepared, lookup: Lookup, written: Written) -> list[tuple[str, Usage]]:
        """What was used: by the reply, and by compactions before or in its place."""
        own = replace(lookup.use.usage(written.output), thinking=written.thinking)
        if compaction.asked(prepared.body):
            return [("compaction", own)]
        before = [] if context.compacted is None else [("compaction", context.compacted)]
        paused = before and written.stop_reason == "compaction"
        served = context.declined and written.stop_reason != "refusal"
        declined = [("message", attempt.usage) for attempt in context.declined]
        return before if paused else [*declined, *before, ("fallback_message" if served else "message", own)]

    def _message(
        self,
        context: Context,
        prepared: Prepared,
        written: Written,
        parts: Sequence[tuple[str, Usage]],
        message_id: str,
    ) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        sent = Fingerprint(workspace=context.workspace, model=prepared.card.id, prompt=prepared.prompt)
        if (asked := prepared.body.get("diagnostics")) is not None:
            extra["diagnostics"] = self._diagnoser.explain(asked.get("previous_message_id"), sent)
        self._diagnoser.remember(message_id, sent)
        if checks.BINDING_BETA in prepared.betas:
            extra["input_transformations"] = [drop.wire() for drop in prepared.judged.dropped] or None
        thought = checks.thinking_mode(prepared.body, prepared.card) != "disabled"
        return wire.message_body(
            message_id=message_id,
            model=prepared.card.id,
            content=written.content,
            stop_reason=written.stop_reason,
            stop_sequence=written.stop_sequence,
            stop_details=written.stop_details,
            usage=self._usage(context, prepared, parts, thinking=thought, searches=written.searches),
            extra=extra,
        )

    def _usage(
        self, context: Context, prepared: Prepared, parts: Sequence[tuple[str, Usage]], *, thinking: bool, searches: int
    ) -> dict[str, Any]:
        """Usage on the wire: the top level leaves compactions out, which stand in `iterations`."""
        shown = next((usage for kind, usage in reversed(parts) if kind != "compaction"), Usage())
        tier = "standard" if context.batch is None else "batch"
        body = wire.usage_body(shown, prepared.body, thinking=thinking, tier=tier, searches=searches)
        if len(parts) > 1 or parts[0][0] != "message":
            body["iterations"] = [compaction.iteration(kind, usage, prepared.card.id) for kind, usage in parts]
        return body

    def _late_fields(self, prepared: Prepared) -> dict[str, Any]:
        if prepared.body.get("context_management") is None:
            return {}
        return {"context_management": {"applied_edits": list(prepared.edited.applied)}}


def silence_of(fault: Fault | None) -> Silence | None:
    """What a fault leaves of an answer, where it leaves none."""
    if isinstance(fault, Timeout | ConnectionLost):
        return Silence("timeout" if isinstance(fault, Timeout) else "lost")
    return None


def mapping(body: Any) -> Body:
    """The body, or an empty one where it is no object."""
    return body if isinstance(body, Mapping) else {}
