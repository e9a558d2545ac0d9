"""What the API takes and gives. Times are unix seconds, sizes tokens, costs dollars (null: no price is known)."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Self

from pydantic import BaseModel, Field, PrivateAttr, model_validator

from sash.inspect.rendering import tags
from sash.inspect.window import WindowPart
from sash.model.epochs import Request
from sash.model.files import File
from sash.model.replies import Reply
from sash.model.turns import Turn
from sash.model.window import Branch
from sash.planning.plan import Plan
from sash.profile.entries import Entry
from sash.serve.asking import Parameters
from sash.serve.spending import CeilingUse
from sash.serve.talks import Chosen
from sash.stores.port import ConversationInfo, Hit, UsageRow
from sash.types import MemoryMode

# ---- conversations ----------------------------------------------------------------------------------------------


class ConversationOut(BaseModel):
    """A conversation."""

    id: str
    user: str = Field(description='whose it is; "" for nobody\'s')
    title: str | None
    tags: list[str]
    metadata: dict[str, Any]
    model: str
    created_at: float
    updated_at: float
    turns: int
    requests: int
    dollars: float = Field(description="of the requests whose price is known")
    unpriced: int = Field(description="requests whose price nobody knows")

    @classmethod
    def of(cls, info: ConversationInfo) -> Self:
        """From a row of the listing."""
        names = cls.model_fields.keys() - {"tags", "metadata"}
        rest = {name: getattr(info, name) for name in names}
        return cls(**rest, tags=tags(info.metadata), metadata=dict(info.metadata))


class ConversationList(BaseModel):
    """A page of conversations, the newest used first."""

    conversations: list[ConversationOut]
    next: str | None = Field(description="`before` of the next page; null: this is the last one")


class DescribeRequest(Parameters):
    """What a conversation is called; null leaves a field as it is."""

    title: str | None = Field(None, max_length=500)
    tags: list[str] | None = Field(None, max_length=50)
    metadata: dict[str, Any] | None = Field(None, description="of the app; `tags` stand in it, too")


class Reason(Parameters):
    """Why something is removed, for the audit."""

    reason: str = Field("", max_length=500)


class DeletedOut(BaseModel):
    """What became of a conversation that was deleted."""

    turns: int
    heirs: list[str] = Field(description="ids of the forks that its shared turns belong to now")


class RedactedOut(BaseModel):
    """What lost its words."""

    turns: int = Field(description="how many: those that repeat it go along")


class ForkRequest(Parameters):
    """Where a fork begins and what it is called."""

    at: int | None = Field(None, description="id of a reply; null: the newest")
    id: str | None = Field(None, min_length=1, description="of the new conversation; null: made up")


class BranchOut(BaseModel):
    """A line of turns of a conversation."""

    id: int
    parent: int | None
    fork_seq: int = Field(description="seq of the last turn that it shares with its parent")
    reason: str
    at: float
    newest: int = Field(description="seq of its newest turn")
    present: bool

    @classmethod
    def of(cls, branch: Branch, present: int) -> Self:
        """From the record's."""
        return cls(
            id=branch.id, parent=branch.parent, fork_seq=branch.fork_seq, reason=branch.reason, at=branch.at,
            newest=branch.newest, present=branch.id == present,
        )  # fmt: skip


class BranchList(BaseModel):
    """The branches of a conversation, the newest first."""

    branches: list[BranchOut]


class SwitchRequest(Parameters):
    """The branch to go on with."""

    branch: int


class PinRequest(Parameters):
    """A turn whose exchange is to stay in every request, or not."""

    turn: int = Field(description="id")
    pinned: bool = True


# ---- turns ------------------------------------------------------------------------------------------------------


class TurnsQuery(Parameters):
    """Which turns of the present branch."""

    before: int | None = Field(None, ge=1, description="those whose seq is smaller; null: the newest")
    limit: int = Field(50, ge=1, le=200)


class TurnOut(BaseModel):
    """A turn, as recorded."""

    id: int
    seq: int
    role: str
    state: str
    at: float
    model: str
    text: str
    content: list[dict[str, Any]]
    recalled: list[int] = Field(description="seqs of turns that were quoted in front of it")

    @classmethod
    def of(cls, turn: Turn) -> Self:
        """From the record's."""
        quoted = turn.attachment.sources if turn.attachment else ()
        return cls(
            id=turn.id, seq=turn.seq, role=turn.role, state=turn.state, at=turn.at, model=turn.model, text=turn.text,
            content=turn.blocks, recalled=[source.seq for source in quoted],
        )  # fmt: skip


class TurnList(BaseModel):
    """Turns, oldest first."""

    turns: list[TurnOut]
    before: int | None = Field(description="`before` of the page of older turns; null: there are none")


# ---- talking ----------------------------------------------------------------------------------------------------


class FileIn(Parameters):
    """A file that goes with a message."""

    name: str = Field("", max_length=300)
    data: str = Field(description="its bytes, in base64")

    _bytes: bytes = PrivateAttr(default=b"")

    def read(self) -> File:
        """The file itself."""
        return File(self._bytes, name=self.name)

    @model_validator(mode="after")
    def _decode(self) -> Self:
        try:
            self._bytes = base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ValueError("data: no base64") from error
        return self


class TalkRequest(Parameters):
    """What may be chosen for a reply; null: as the conversation or the server has it."""

    model: str | None = None
    budget: int | None = Field(None, ge=1, description="the most prompt tokens of a request")
    memory: MemoryMode | None = None
    max_tokens: int | None = Field(None, ge=1)
    user: str | None = Field(None, description="whose the conversation is, once")
    system: str | None = Field(None, description="the system prompt, in force from then on")

    @property
    def chosen(self) -> Chosen:
        """What the conversation is opened with."""
        return Chosen(
            model=self.model or None,
            budget=self.budget,
            memory=self.memory,
            user=self.user or None,
            system=self.system or None,
        )

    @property
    def options(self) -> dict[str, Any]:
        """What the call itself is told."""
        return {} if self.max_tokens is None else {"max_tokens": self.max_tokens}


class SaidRequest(TalkRequest):
    """Something to say."""

    content: str | list[dict[str, Any]] = Field(description="a text, or content blocks of the Messages API")
    files: list[FileIn] = Field(default_factory=list, max_length=100)

    def said(self) -> Any:
        """What the user says, as a conversation takes it."""
        files = [file.read() for file in self.files]
        if not files:
            return self.content
        return [*files, *([self.content] if isinstance(self.content, str) else self.content)]


class SendRequest(SaidRequest):
    """Something to say, and how."""

    token: str | None = Field(None, description="the caller's own name for it: what comes again is not sent again")
    stream: bool = Field(True, description="false: one JSON answer instead of server-sent events")


class EditRequest(SaidRequest):
    """Something to say in the place of a user turn, on a branch of its own."""

    turn: int = Field(description="id")


class PlanRequest(SaidRequest):
    """What the next request would look like."""

    content: str | list[dict[str, Any]] = "Go on."


class PartOut(BaseModel):
    """A part of the window."""

    kind: str
    name: str
    tokens: int
    source: str = Field(description="usage (exact), endpoint or estimate")
    cached: bool
    why: str
    seq: int

    @classmethod
    def of(cls, part: WindowPart) -> Self:
        """From what is shown."""
        return cls(**{name: getattr(part, name) for name in cls.model_fields})


class PlanOut(BaseModel):
    """The decision for one request. Nothing was sent or written."""

    explanation: str
    model: str
    tokens: int
    upper: int = Field(description="which it will not pass")
    budget: int
    cut: bool = Field(description="whether a new window begins with it")
    read: int
    written: int
    fresh: int
    dollars: float | None = Field(description="of the prompt")
    parts: list[PartOut]
    why: dict[str, Any]

    @classmethod
    def of(cls, plan: Plan, parts: list[WindowPart]) -> Self:
        """From a plan."""
        return cls(
            explanation=plan.explain(), model=plan.sent.model, tokens=plan.prompt.tokens, upper=plan.prompt.upper,
            budget=plan.situation.budget, cut=plan.cut, read=plan.expected.read, written=plan.expected.write,
            fresh=plan.expected.fresh, dollars=plan.expected.dollars, parts=[PartOut.of(part) for part in parts],
            why=plan.why,
        )  # fmt: skip


class ReplyOut(BaseModel):
    """A reply, as recorded."""

    text: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    turn: int | None
    seq: int | None
    state: str | None
    request: int = Field(description="its number: GET .../requests/{number} shows what was sent")
    prompt: int
    read: int
    written: int
    output: int
    dollars: float | None
    seconds: float
    cut: bool
    surprise: str
    notes: list[str]

    @classmethod
    def of(cls, reply: Reply) -> Self:
        """From a conversation's."""
        turn, used = reply.turn, reply.usage
        return cls(
            text=reply.text, content=list(reply.blocks), stop_reason=reply.stop_reason, turn=turn.id if turn else None,
            seq=turn.seq if turn else None, state=turn.state if turn else None, request=reply.number,
            prompt=used.prompt, read=used.read,
            written=used.write, output=used.output, dollars=reply.cost, seconds=reply.latency,
            cut=bool(reply.plan and reply.plan.cut), surprise=reply.surprise, notes=list(reply.notes),
        )  # fmt: skip


class StopRequest(Parameters):
    """The reply to stop."""

    reply: str | None = Field(None, description="as its `start` event names it; null: all of this conversation")


class StoppedOut(BaseModel):
    """How many replies were stopped."""

    stopped: int


# ---- requests ---------------------------------------------------------------------------------------------------


class RequestsQuery(Parameters):
    """Which requests."""

    before: int | None = Field(None, ge=1, description="those whose number is smaller; null: the newest")
    limit: int = Field(50, ge=1, le=200)


class RequestRow(BaseModel):
    """A request: what was predicted, what was billed, why."""

    number: int
    state: str
    at: float
    model: str
    expected_prompt: int
    expected_read: int
    expected_dollars: float | None = Field(description="of the prompt")
    prompt: int | None
    read: int | None
    written: int | None
    output: int | None
    dollars: float | None
    seconds: float | None
    stop_reason: str | None
    error: str | None
    surprise: str
    why: dict[str, Any]

    @classmethod
    def of(cls, request: Request) -> Self:
        """From the record's."""
        used, expected = request.usage, request.expected
        return cls(
            number=request.number, state=request.state, at=request.at, model=request.sent.model,
            expected_prompt=expected.prompt, expected_read=expected.read, expected_dollars=expected.dollars,
            prompt=used.prompt if used else None, read=used.read if used else None,
            written=used.write if used else None,
            output=used.output if used else None, dollars=request.cost, seconds=request.latency,
            stop_reason=request.stop_reason, error=request.error, surprise=request.surprise, why=dict(request.why),
        )  # fmt: skip


class RequestList(BaseModel):
    """Requests, the newest first."""

    requests: list[RequestRow]


class RequestOut(RequestRow):
    """A request with its exact body."""

    body: dict[str, Any]
    betas: list[str]
    intact: bool = Field(description="whether the body is the one that was sent, byte for byte")


# ---- search, usage, people --------------------------------------------------------------------------------------


class SearchQuery(Parameters):
    """What to look for."""

    q: str = Field(min_length=1, description="words; all must occur in one turn")
    user: str | None = None
    conversation: str | None = None
    limit: int = Field(20, ge=1, le=200)


class HitOut(BaseModel):
    """A turn that was found."""

    conversation: str
    turn: int
    seq: int
    role: str
    at: float
    snippet: str = Field(description="what was found stands in brackets")

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """From the store's."""
        return cls(**{name: getattr(hit, name) for name in cls.model_fields})


class SearchOut(BaseModel):
    """What was found, the best first."""

    hits: list[HitOut]


class UsageQuery(Parameters):
    """How usage is grouped."""

    by: str = Field("day,model", description="any of day, model, user, with commas; conversation with `conversation`")
    user: str | None = None
    conversation: str | None = None


class UsageLine(BaseModel):
    """Sums over a group."""

    group: dict[str, str]
    requests: int
    prompt: int
    read: int
    written: int
    output: int
    dollars: float
    unpriced: int

    @classmethod
    def of(cls, names: list[str], row: UsageRow) -> Self:
        """From the store's."""
        return cls(
            group=dict(zip(names, row.group, strict=False)), requests=row.requests, prompt=row.prompt, read=row.read,
            written=row.written, output=row.output, dollars=row.dollars, unpriced=row.unpriced,
        )  # fmt: skip


class UsageOut(BaseModel):
    """Sums, a line for each group."""

    usage: list[UsageLine]


class CeilingOut(BaseModel):
    """An account of a ceiling in its present period."""

    per: str = Field(description="conversation, user, namespace or all")
    name: str = Field(description="of the conversation or the user; empty where it counts for all")
    period: str = Field(description="a day, a month, or ever")
    share: float = Field(description="of the ceiling that is spent: 0 to 1 and beyond")
    dollars: float
    most_dollars: float | None
    tokens: int
    most_tokens: int | None

    @classmethod
    def of(cls, use: CeilingUse) -> Self:
        """From what the record holds."""
        return cls(
            per=use.ceiling.per, name=use.name, period=use.period, share=use.share, dollars=use.spent.dollars,
            most_dollars=use.ceiling.dollars, tokens=use.spent.tokens, most_tokens=use.ceiling.tokens,
        )  # fmt: skip


class CeilingList(BaseModel):
    """The ceilings that the server keeps, of users and conversations the five accounts that hold most."""

    ceilings: list[CeilingOut]


class EntryIn(Parameters):
    """Something to be known of a user."""

    text: str = Field(min_length=1, max_length=2_000)
    kind: str = Field("fact", description="fact, preference or instruction")


class EntryOut(BaseModel):
    """An entry of a user's profile."""

    id: int
    kind: str
    topic: str
    text: str
    by: str
    at: float
    sources: list[int] = Field(description="ids of the turns that say it")
    ended: str = Field(description='why it no longer holds; "": it does')

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """From the profile's."""
        return cls(
            id=entry.id, kind=entry.kind, topic=entry.topic, text=entry.text, by=entry.by, at=entry.at,
            sources=list(entry.sources), ended=entry.ended,
        )  # fmt: skip


class ProfileOut(BaseModel):
    """What is known of a user, the newest first."""

    entries: list[EntryOut]


class ForgottenOut(BaseModel):
    """What was removed of a user."""

    conversations: int
    turns: int
    files: int
    entries: int


class Done(BaseModel):
    """It was done."""

    done: bool = True
