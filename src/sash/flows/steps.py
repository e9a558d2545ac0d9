"""The vocabulary of I/O: everything a flow may ask of the outside, as frozen values.

A flow is a generator that yields steps and is sent their results; `result = yield from Step(...)` is
typed. A store step names the method of the store that performs it; the other steps are performed by the
Claude adapter or the driver. Flows know nothing of SQL, sockets, threads or clocks.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from sash.limits.ceilings import Account, Charge
from sash.model.answers import Answer, StreamEvent, Wire
from sash.model.counts import Count
from sash.model.epochs import Epoch, Expected, Request, Sent
from sash.model.functions import Function
from sash.model.preamble import Preamble
from sash.model.turns import Draft, State, Turn
from sash.model.usage import Usage
from sash.model.window import Head, Loaded

R = TypeVar("R")
Flow = Generator["Step[Any]", Any, R]


@dataclass(frozen=True, kw_only=True)
class Step(Generic[R]):
    """One piece of I/O with a result of type R."""

    def __iter__(self) -> Generator[Step[R], R, R]:
        return (yield self)


class Abandoned(BaseException):
    """The caller left a stream before its end; thrown into the flow like a cancellation."""


# ---- the clock, the model, the caller -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Now(Step[float]):
    """The time, in unix seconds."""


@dataclass(frozen=True, kw_only=True)
class Pause(Step[None]):
    """Let `seconds` pass, for somebody else to get on."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Send(Step[Answer]):
    """Send a request and wait for the whole reply. Raises RemoteError."""

    wire: Wire


@dataclass(frozen=True, kw_only=True)
class OpenStream(Step[Any]):
    """Send a request and open its stream; the result is a handle. Raises RemoteError."""

    wire: Wire


@dataclass(frozen=True, kw_only=True)
class NextEvent(Step[StreamEvent | None]):
    """The next event, or None at the end. Raises RemoteError."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class Snapshot(Step[Answer | None]):
    """What has come so far, as an answer (None: not even its beginning). Asks nothing of the network."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class CloseStream(Step[None]):
    """Close a stream, finished or not."""

    handle: Any


@dataclass(frozen=True, kw_only=True)
class Emit(Step[None]):
    """Hand an event to the caller."""

    event: StreamEvent


@dataclass(frozen=True, kw_only=True)
class CallTool(Step[Any]):
    """Call a function with the input that Claude chose. Raises whatever the function raises."""

    function: Function
    input: Any


@dataclass(frozen=True, kw_only=True)
class CountTokens(Step[int]):
    """Ask the count-tokens endpoint. Raises RemoteError."""

    params: Mapping[str, Any]
    betas: tuple[str, ...] = ()


# ---- the record -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StoreStep(Step[R]):
    """A step that the store's method of the name `method` performs, with the step itself as argument."""

    method: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class OpenConversation(StoreStep[Head]):
    """Find a conversation, or create it. Raises NotFound when it must exist and does not."""

    method: ClassVar[str] = "open_conversation"
    namespace: str
    id: str
    create: bool = True


@dataclass(frozen=True, kw_only=True)
class ReadHead(StoreStep[Head]):
    """Where the conversation stands now; cheap."""

    method: ClassVar[str] = "read_head"
    conversation: int


@dataclass(frozen=True, kw_only=True)
class ReadWindow(StoreStep[Loaded]):
    """Read what the next request may be made of: O(view), never O(history).

    Where the present epoch is another model's and one of `model` goes on beside it, that is the one to read.
    """

    method: ClassVar[str] = "read_window"
    conversation: int
    model: str
    preamble: Preamble | None
    """None: the one of the present epoch"""
    reach: int | None = 0
    """also reach back beyond the epoch's start, over at least this many characters; None: to the beginning"""
    base: str = ""
    """the tokenizer base whose calibration is wanted"""
    near: frozenset[str] | None = None
    """the keys whose cache is the same; None: all"""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What `BeginRequest` recorded."""

    turns: tuple[Turn, ...]
    epoch: Epoch
    request: int
    number: int


@dataclass(frozen=True, kw_only=True)
class BeginRequest(StoreStep[Begun]):
    """Record the new turns, the epoch if it is new, and the request, in one transaction, before it is sent.

    Raises Conflict when the branch's newest turn is not `head` any more, or a turn of it was redacted since it was
    planned; nothing is written then.
    """

    method: ClassVar[str] = "begin_request"
    conversation: int
    branch: int
    head: int
    turns: tuple[Draft, ...]
    epoch: Epoch
    sent: Sent
    expected: Expected
    why: Mapping[str, Any]
    body_hash: str
    at: float
    plain: bool
    """whether the newest turn sent opens an exchange (its gap then teaches the planner)"""
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq: sizes estimated for this request, stored so that nothing is tokenised twice"""
    interrupted: tuple[int, ...] = ()
    """ids of paused turns that this request gives up"""
    preamble_count: Count | None = None
    learned: Mapping[str, Any] | None = None
    home: str = ""
    """the model in force from now on, where another one is asked this time; "": the one asked"""
    submission: int = 0
    """the submission (see `Claim`) whose turns these are; 0: none"""
    forgotten: int | None = None
    """`Head.forgotten` when it was planned; None: not known"""


@dataclass(frozen=True, kw_only=True)
class FinishRequest(StoreStep[Turn | None]):
    """Record reply, usage and cost in one transaction; the result is the reply's turn.

    When another writer appended meanwhile, the reply is kept on a branch of its own and Conflict is raised.
    """

    method: ClassVar[str] = "finish_request"
    request: int
    reply: Draft | None
    state: State
    """of the reply: answered or interrupted; withdrawn for a refusal"""
    settle: tuple[int, ...]
    """ids of the turns that this reply settles ..."""
    settled: State
    """... and the state they are in now: answered, or withdrawn for a refusal"""
    usage: Usage | None
    usage_json: Mapping[str, Any]
    cost: float | None
    stop_reason: str | None
    message_id: str | None
    request_id: str | None
    error: str | None = None
    at: float
    model: str
    counts: Mapping[int, Count] = field(default_factory=dict)
    """by seq: exact sizes that this usage tells"""
    reply_count: Count | None = None
    preamble_count: Count | None = None
    base: str = ""
    calibration: Mapping[str, Any] | None = None
    """the estimator's new state of learning for (model, base); None: unchanged"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    surprise: str = ""
    """how the bill differs from what was expected, and why; "" where it does not"""


@dataclass(frozen=True, kw_only=True)
class Health:
    """Which models failed of late, by the record of everybody's requests in this store."""

    failed: Mapping[str, float] = field(default_factory=dict)
    """when a request to a model last failed for the far side's sake, where none was answered since"""


@dataclass(frozen=True, kw_only=True)
class ReadHealth(StoreStep[Health]):
    """Which of these models failed after the time `since`, and were not heard of again."""

    method: ClassVar[str] = "read_health"
    models: tuple[str, ...]
    since: float


@dataclass(frozen=True, kw_only=True)
class ReadSpent(StoreStep[Sequence[Charge]]):
    """What accounts with ceilings hold now."""

    method: ClassVar[str] = "read_spent"
    accounts: tuple[Account, ...]


@dataclass(frozen=True, kw_only=True)
class KeyHealth:
    """Which keys were refused or limited of late, and not taken since."""

    out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadKeyHealth(StoreStep[KeyHealth]):
    """Which of these keys are out, by the record of everybody's requests in this store."""

    method: ClassVar[str] = "read_key_health"
    keys: tuple[str, ...]
    limited_since: float
    refused_since: float


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What became of a submission: ours to answer ("new"), ours again with its turn still pending ("pending"),
    somebody's who is at it ("running"), or answered before by the requests of these numbers."""

    state: Literal["new", "pending", "running", "answered"]
    submission: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Claim(StoreStep[Claimed]):
    """Say that one is about to send something, unless the same was submitted before. One transaction.

    The same: of the same client token; without one, the newest submission of this conversation if it has the same
    content and is younger than `within` seconds. Raises InvalidOption for a token that was used for other content.
    """

    method: ClassVar[str] = "claim"
    conversation: int
    token: str | None
    digest: str
    """of the content"""
    within: float
    """seconds; 0: only the token tells"""
    arrived: float
    """when it was submitted, in unix seconds ..."""
    at: float
    """... and when it comes to be claimed"""
    lease: float
    """seconds after which a claim that nobody settled is void"""


@dataclass(frozen=True, kw_only=True)
class SettleClaim(StoreStep[None]):
    """Say what became of a submission: the numbers of the requests that answered it; none: it failed."""

    method: ClassVar[str] = "settle_claim"
    submission: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadAnswered(StoreStep[frozenset[str]]):
    """The tokens with this beginning whose submissions were answered, over all conversations of a namespace."""

    method: ClassVar[str] = "read_answered"
    namespace: str
    prefix: str


@dataclass(frozen=True, kw_only=True)
class KeepResult(StoreStep[None]):
    """Record the result of a tool call as soon as there is one, before all results are sent as a turn."""

    method: ClassVar[str] = "keep_result"
    conversation: int
    turn: int
    """id of the reply that made the call"""
    call: str
    block: str
    """JSON text of the `tool_result`"""
    at: float


@dataclass(frozen=True, kw_only=True)
class ReadResults(StoreStep[Mapping[str, str]]):
    """Results that were kept for the calls of a reply and never sent: JSON texts by call id."""

    method: ClassVar[str] = "read_results"
    turn: int


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What a request used that ended without a reply: its prompt was read, and is billed."""

    usage: Usage
    usage_json: Mapping[str, Any]
    cost: float | None
    """dollars; None where no price is known"""


@dataclass(frozen=True, kw_only=True)
class FailRequest(StoreStep[None]):
    """Record that a request ended without a reply, and take the turns that caused it out of the view."""

    method: ClassVar[str] = "fail_request"
    request: int
    withdraw: tuple[int, ...] = ()
    """ids of turns; all others stay pending"""
    error: str
    request_id: str | None
    at: float
    paid: Paid | None = None
    """None: nothing is known to be billed"""


@dataclass(frozen=True, kw_only=True)
class NewBranch(StoreStep[Head]):
    """Branch off after the turn `seq`: as the present branch of the same conversation, or of a new one.

    The past is shared, not copied. Raises NotFound for a turn that is not on the branch, and InvalidOption
    when the new conversation exists already.
    """

    method: ClassVar[str] = "new_branch"
    conversation: int
    seq: int
    reason: Literal["fork", "edit", "regenerate"]
    as_id: str | None = None
    """the id of the new conversation; None: stay in this one"""


@dataclass(frozen=True, kw_only=True)
class ReadTurns(StoreStep[Sequence[Turn]]):
    """Turns of the present branch from seq `after` on (exclusive), oldest first, withdrawn ones included."""

    method: ClassVar[str] = "read_turns"
    conversation: int
    after: int = 0
    limit: int | None = None
    newest: bool = False
    """count `limit` from the end"""


@dataclass(frozen=True, kw_only=True)
class ReadTurn(StoreStep[Turn]):
    """One turn by its id. Raises NotFound."""

    method: ClassVar[str] = "read_turn"
    conversation: int
    turn: int
    anywhere: bool = False
    """on any branch of the conversation, not only the present one"""


@dataclass(frozen=True, kw_only=True)
class ReadRequest(StoreStep[tuple[Request, Epoch, Sequence[Turn]]]):
    """One request by its number, with its epoch and the turns it sent. Raises NotFound."""

    method: ClassVar[str] = "read_request"
    conversation: int
    number: int


@dataclass(frozen=True, kw_only=True)
class SetBranch(StoreStep[None]):
    """Go back to another branch of the same conversation."""

    method: ClassVar[str] = "set_branch"
    conversation: int
    branch: int


@dataclass(frozen=True, kw_only=True)
class Withdraw(StoreStep[int]):
    """Take all pending turns out of the view; they stay in the record. The result is how many there were."""

    method: ClassVar[str] = "withdraw"
    conversation: int


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What is sent of a turn from now on, in the place of its content, which stays as it came."""

    turn: int
    """id"""
    content: str
    """the exact JSON text of the blocks"""
    plain: bool
    """whether it opens an exchange in this form"""
    sources: tuple[int, ...] = ()
    """ids of other turns whose words it says"""


@dataclass(frozen=True, kw_only=True)
class Mend(StoreStep[None]):
    """Repair a history for good: take turns (ids) out of every view, send others in another form, answer open calls.

    The next request of each branch that holds one of these turns begins an epoch. Raises Conflict.
    """

    method: ClassVar[str] = "mend"
    conversation: int
    head: int
    """seq of the newest turn that the repair has seen"""
    withdraw: tuple[int, ...]
    mended: tuple[Mended, ...] = ()
    answers: tuple[Draft, ...] = ()
    """recorded behind the newest turn"""
    reason: str
    """why an epoch begins, in words"""
    at: float


@dataclass(frozen=True, kw_only=True)
class Redact(StoreStep[int]):
    """Take the words of a turn out of the record for good, with all that was made of them.

    The result is how many turns it were: those that repeat it go along. Raises NotFound.
    """

    method: ClassVar[str] = "redact"
    conversation: int
    turn: int
    reason: str
    at: float


@dataclass(frozen=True, kw_only=True)
class AppendTurns(StoreStep[Sequence[Turn]]):
    """Record turns that were said elsewhere (imports), in one transaction. Raises Conflict."""

    method: ClassVar[str] = "append_turns"
    conversation: int
    head: int
    turns: tuple[Draft, ...]
    at: float
    interrupted: tuple[int, ...] = ()
    """ids of paused turns that count as interrupted from now on"""
    fresh: str = ""
    """why the next request must begin an epoch; "" if it need not"""
    preamble: Preamble | None = None
    """what is in force from now on, before any request; None: what was"""


@dataclass(frozen=True, kw_only=True)
class ReadImported(StoreStep[frozenset[str]]):
    """The `source` of every turn that was ever appended to the conversation."""

    method: ClassVar[str] = "read_imported"
    conversation: int


@dataclass(frozen=True, kw_only=True)
class SetPin(StoreStep[None]):
    """Pin the exchange that holds a turn, or unpin it."""

    method: ClassVar[str] = "set_pin"
    conversation: int
    turn: int
    pinned: bool
