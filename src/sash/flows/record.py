"""The record as flows see it, part by part: what a store must do for them. What people ask: `sash.stores.port.Store`.

Every method is one transaction: it happens whole or not at all, and raises only StoreErrors and the CallerErrors named
with it (any may raise NotFound for a conversation that was deleted). Methods may be called from any thread. Times are
unix seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sash.limits.ceilings.policy import Account, Charge
from sash.model.batches import UNDER_WAY, Batch, Kind, Phase, WaitingItem
from sash.model.counts import Count
from sash.model.epochs import Epoch, Request
from sash.model.jobs import Job, LeftJob
from sash.model.leases import Place, Ticket
from sash.model.preamble import Preamble
from sash.model.requests import Begun, FinishedRequest, NewRequest, Paid
from sash.model.submissions import Claim, Claimed
from sash.model.summaries import BatchTask, NewSummary, Resting, Summary, SummaryRecord, SummaryTask, Trouble
from sash.model.turns import Draft, Mended, Turn
from sash.model.window import Branch, Head, Loaded
from sash.profile.entries import Distilling, Entry, Learned, NewDistilling
from sash.recall.query import Term
from sash.recall.ranking import DEEP, Like, Matches
from sash.recall.settings import Embedder

if TYPE_CHECKING:
    from sash.model.workers import JobsState, WorkerInfo


class Branches(Protocol):
    """Where conversations stand, and which branch is the present one."""

    def open(self, *, namespace: str, id: str, create: bool = True, user: str = "") -> Head:
        """Find a conversation, or create it; one that was nobody's becomes the user's.

        Raises NotFound when it must exist and does not, InvalidOption when it is another user's.
        """
        ...

    def head(self, conversation: int) -> Head:
        """Where the conversation stands now; cheap."""
        ...

    def read(self, conversation: int, *, limit: int) -> Sequence[Branch]:
        """The branches of the conversation, the newest first."""
        ...

    def new(
        self, conversation: int, *, seq: int, reason: Literal["fork", "edit", "regenerate"], as_id: str | None = None
    ) -> Head:
        """Branch off after the turn `seq`: as the present branch, or (`as_id`) as that of a new conversation.

        The past is shared, not copied. Raises NotFound for a turn that is not on the branch, and InvalidOption
        when the new conversation exists already.
        """
        ...

    def switch(self, conversation: int, *, branch: int) -> None:
        """Go back to another branch of the same conversation."""
        ...


class Windows(Protocol):
    """What the next request of a conversation may be made of."""

    def read(
        self,
        conversation: int,
        *,
        model: str,
        preamble: Preamble | None,
        reach: int | None = 0,
        base: str = "",
        near: frozenset[str] | None = None,
    ) -> Loaded:
        """Read what the next request may be made of: O(view), never O(history).

        Where the present epoch is another model's and one of `model` goes on beside it, that is the one to read.
        `preamble`: None for the one of the present epoch. `reach`: also reach back beyond the epoch's start, over at
        least this many characters; None: to the beginning. `base`: the tokenizer base whose calibration is wanted.
        `near`: the keys whose cache is the same; None: all.
        """
        ...


class Turns(Protocol):
    """What was said: appended, read, pinned, taken out of the view, repaired."""

    def append(
        self,
        conversation: int,
        *,
        head: int,
        turns: Sequence[Draft],
        at: float,
        interrupted: Sequence[int] = (),
        new_epoch_reason: str = "",
        preamble: Preamble | None = None,
    ) -> Sequence[Turn]:
        """Record turns that were said elsewhere (imports). Raises Conflict.

        `interrupted`: ids of paused turns that count as interrupted from now on. `new_epoch_reason`: why the next
        request must begin an epoch; "" if it need not. `preamble`: what is in force from now on, before any request;
        None: what was.
        """
        ...

    def read(
        self, conversation: int, *, after: int = 0, limit: int | None = None, newest: bool = False
    ) -> Sequence[Turn]:
        """Turns of the present branch from seq `after` on (exclusive), oldest first, withdrawn ones included.

        `newest`: count `limit` from the end.
        """
        ...

    def one(self, conversation: int, *, turn: int, anywhere: bool = False) -> Turn:
        """One turn by its id: of the present branch or, with `anywhere`, of any. Raises NotFound."""
        ...

    def imported(self, conversation: int) -> frozenset[str]:
        """The `source` of every turn that was ever appended to the conversation."""
        ...

    def call_ids(self, branch: int, *, beginnings: Collection[str]) -> frozenset[str]:
        """The ids with one of these beginnings that calls on a branch have, or were given by a repair."""
        ...

    def pin(self, conversation: int, *, turn: int, pinned: bool) -> None:
        """Pin the exchange that holds a turn, or unpin it."""
        ...

    def withdraw(self, conversation: int) -> int:
        """Take all pending turns out of the view; they stay in the record. The result is how many there were."""
        ...

    def mend(
        self,
        conversation: int,
        *,
        head: int,
        withdraw: Sequence[int],
        mended: Sequence[Mended] = (),
        answers: Sequence[Draft] = (),
        reason: str,
        at: float,
    ) -> None:
        """Repair a history for good: take turns (ids) out of every view, send others in another form, answer calls.

        The next request of each branch that holds one of these turns begins an epoch, for this `reason`. `head`: seq
        of the newest turn that the repair has seen; `answers` are recorded behind it. Raises Conflict.
        """
        ...


class Requests(Protocol):
    """What was sent: recorded before it leaves, closed with what came of it."""

    def begin(self, new: NewRequest) -> Begun:
        """Record the new turns, the epoch if it is new, and the request, in one transaction, before it is sent.

        Raises Conflict when the branch's newest turn is not `head` any more, or a turn of it was redacted since it was
        planned; nothing is written then.
        """
        ...

    def finish(self, finished: FinishedRequest) -> Turn | None:
        """Record reply, usage and cost in one transaction; the result is the reply's turn.

        When another writer appended meanwhile, the reply is kept on a branch of its own and Conflict is raised. An item
        of a batch that waits no more was used by somebody else: nothing is written, and the result is None.
        """
        ...

    def fail(
        self,
        request: int,
        *,
        withdraw: Sequence[int] = (),
        error: str,
        request_id: str | None,
        at: float,
        paid: Paid | None = None,
    ) -> None:
        """Record that a request ended without a reply, and take the turns that caused it out of the view.

        `withdraw`: their ids; all others stay pending. `paid`: None where nothing is known to be billed.
        """
        ...

    def read(self, conversation: int, *, number: int) -> tuple[Request, Epoch, Sequence[Turn]]:
        """One request by its number, with its epoch and the turns it sent. Raises NotFound."""
        ...

    def sizes(self, request: Request, turns: Sequence[Turn]) -> tuple[Mapping[int, Count], Count | None]:
        """What is known of the sizes of what was sent: of its turns, by seq, and of tools and system prompt."""
        ...

    def page(self, conversation: int, *, limit: int, before: int | None = None) -> Sequence[Request]:
        """Requests, the newest first: all, or those whose number is below `before`."""
        ...


class ToolResults(Protocol):
    """Results of tool calls, until they are sent."""

    def keep(self, conversation: int, *, turn: int, call: str, block: str, at: float) -> None:
        """Record the result of a tool call as soon as there is one, before all results are sent as a turn.

        `turn`: id of the reply that made the call. `block`: JSON text of the `tool_result`.
        """
        ...

    def read(self, turn: int) -> Mapping[str, str]:
        """Results that were kept for the calls of a reply (id) and never sent: JSON texts by call id."""
        ...


class Submissions(Protocol):
    """What was submitted, so that the same is answered once."""

    def claim(self, claim: Claim) -> Claimed:
        """Say that one is about to send something, unless the same was submitted before.

        Raises InvalidOption for a token that was used for other content.
        """
        ...

    def release(self, submission: int, numbers: Sequence[int] = ()) -> None:
        """Say what became of a submission: the numbers of the requests that answered it; none: it failed."""
        ...

    def answered(self, *, namespace: str, prefix: str) -> frozenset[str]:
        """The tokens with this beginning whose submissions were answered, over all conversations of a namespace."""
        ...


class Leases(Protocol):
    """Who may write to a conversation now: the first in a line of tickets, in order of arrival.

    A ticket holds its place until it leaves, or its process ends. Where that cannot be told (another machine), the
    store renews it while the process lives, and it runs out soon after. A store that does not write one transaction
    at a time locks the conversation's row before it gives a place.
    """

    def enter(self, ticket: Ticket) -> Place:
        """Come last in the line."""
        ...

    def place(self, ticket: Ticket) -> Place:
        """How a ticket stands now; one that ran out while its process slept comes last again."""
        ...

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; nothing happens where there is none."""
        ...


class Index(Protocol):
    """Old turns, found by words, by characters, by meaning."""

    def match(self, conversation: int, *, terms: Sequence[Term], until: int | None = None) -> Matches:
        """Where the terms of a query stand, among the turns of the present branch before seq `until` (None: all)."""
        ...

    def near(
        self,
        conversation: int,
        *,
        text: str,
        embedder: bool | Embedder,
        gains: Sequence[float],
        until: int | None = None,
        most: int = DEEP,
    ) -> Sequence[tuple[int, float]]:
        """The turns nearest in meaning, as (seq, closeness), the nearest first.

        Closeness is the cosine, and what the turns beside one add to it (`gains`, by distance). Nothing is written: of
        the turns without a vector of this embedder a few are embedded for this search alone; others are not found
        before `embed` has come to them. Raises MissingExtra, and InvalidOption for an embedder that gives none.
        """
        ...

    def like(
        self, conversation: int, *, words: Sequence[str], embedder: bool | Embedder, until: int | None = None
    ) -> Sequence[Like]:
        """Words of the present branch that are like those asked for, each with the turns that hold it.

        By spelling, for words that nobody used; and by meaning, where `embedder` is one of words. Of a long history
        that nobody searched yet, only the older part may be known: `embed` learns the rest. Raises MissingExtra.
        """
        ...

    def elsewhere(
        self, conversation: int, *, user: str, namespace: str, terms: Sequence[Term], most: int
    ) -> Sequence[tuple[int, str]]:
        """Other conversations of a user that hold these terms, as (key, id), the best first; none across namespaces."""
        ...

    def between(
        self, conversation: int, *, spans: Sequence[tuple[float, float]], until: int | None = None
    ) -> Sequence[int]:
        """seqs of turns with text that were said within any of the spans (seconds; each ends before its second)."""
        ...

    def embed(self, conversation: int, *, embedder: bool | Embedder, most: int | None = None) -> int:
        """Make up to `most` more turns of the present branch (None: all) ready to be found by `near` and `like`.

        Those without a vector of this embedder get one; words go on being learned where a search began to. How many
        it were: fewer than `most`, if that is all. Raises MissingExtra, and InvalidOption for an embedder that gives
        no vectors.
        """
        ...

    def read(self, conversation: int, *, seqs: Sequence[int], model: str) -> Sequence[tuple[Turn, Count | None]]:
        """The turns of the present branch that have these seqs, without withdrawn ones, each with its size if known."""
        ...


class Summaries(Protocol):
    """Summaries, who is making one, and which conversations rest."""

    def begin(
        self, conversation: int, *, upto: int, at: float, until: float, anew: bool = False, server: bool = False
    ) -> SummaryTask | None:
        """Take the job of summarising a conversation's present branch up to the turn of seq `upto`, until a time.

        None: somebody else is at it, or nothing is left to cover. A lease that ended is taken over. `anew`: from the
        first turn on, whatever summaries there are. `server`: it goes on from the last block that the API compacted,
        not from a summary of another make.
        """
        ...

    def keep(self, new: NewSummary) -> Summary | None:
        """Record a summary with its sources and what it cost, and give the job back.

        The result is None where it may not be used: rejected, made after the lease was lost, or from turns that were
        withdrawn meanwhile. It is recorded all the same, as rejected: it was paid for.
        """
        ...

    def fail(self, conversation: int, *, token: str, error: str, retry_at: float, upto: int) -> None:
        """Give the job back without a summary, and say why and until when to leave it."""
        ...

    def read(self, conversation: int) -> Sequence[SummaryRecord]:
        """All summaries of the present branch, rejected ones included, in the order they were made."""
        ...

    def resting(self, *, namespace: str | None, before: float, at: float) -> Sequence[Resting]:
        """Conversations without a turn since `before`, and for which nobody is making a summary, oldest rest first.

        `namespace`: None for all of them.
        """
        ...

    def trouble(self, conversation: int) -> Trouble:
        """How making summaries has been going wrong, and until when it is left alone or somebody is at it."""
        ...

    def task(self, custom_id: str) -> BatchTask | None:
        """What an item is to become a summary of; None where it does not wait, or its conversation is gone."""
        ...


class Batches(Protocol):
    """Batches under way, and the items that wait for their result."""

    def keep(
        self,
        *,
        kind: Kind,
        items: Sequence[WaitingItem],
        at: float,
        namespace: str = "",
        job: str = "",
        terms: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Record a batch that is about to be handed in. `terms`: what its items have in common, as JSON values."""
        ...

    def mark(self, id: int, *, phase: Phase, batch: str = "", error: str = "") -> None:
        """Record what became of a batch: the API's id once it is known, its phase. Done or lost, its items go."""
        ...

    def read(
        self,
        *,
        kind: Kind | None = None,
        namespace: str | None = None,
        job: str | None = None,
        phases: Sequence[Phase] = UNDER_WAY,
    ) -> Sequence[Batch]:
        """Batches in these phases, oldest first. None: of any kind, of all namespaces, of all jobs."""
        ...

    def items(self, batch: int) -> Sequence[WaitingItem]:
        """The items of a batch that still wait for their result, in the order they were handed in."""
        ...

    def close_item(self, custom_id: str) -> None:
        """An item waits no more."""
        ...


class Profiles(Protocol):
    """What is known of users: found by rules in their words, set and removed by hand. Nothing ended is lost."""

    def unread(self, *, user: str, namespace: str, most: int) -> Sequence[Turn]:
        """The user's next turns that the rules have not read, over all their conversations, the oldest first."""
        ...

    def learn(self, found: Sequence[tuple[Learned, Turn]], *, user: str, namespace: str, read: Sequence[Turn]) -> None:
        """Keep what the rules found in the turns that they read; said again, an entry has one more source."""
        ...

    def entries(self, *, user: str, namespace: str = "", ended: bool = False) -> Sequence[Entry]:
        """What holds, the newest first; with `ended`, what no longer does, too."""
        ...

    def set(self, learned: Learned, *, user: str, namespace: str = "", at: float | None = None) -> Entry:
        """Keep an entry made by hand; one of the same topic ends. `at`: unix seconds, by default now."""
        ...

    def remove(self, entry: int, *, user: str, namespace: str = "", at: float | None = None) -> Entry:
        """End an entry; it stays for audit. Raises NotFound for one that does not hold, or is another user's."""
        ...


class Distillings(Protocol):
    """What a model reads of users' words for their profiles: by one at a time, each turn once."""

    def begin(self, *, user: str, namespace: str, least: int, most: int, at: float, until: float) -> Distilling | None:
        """Take the job until the time `until`, with at most `most` turns that no model has read, the oldest first.

        None where somebody has it, where it failed and is to be left until later, and where not more than `least`
        characters wait.
        """
        ...

    def until(self, *, user: str, namespace: str) -> float:
        """Until when nobody else may take the job: somebody has it, or it failed and is left alone. 0: at once."""
        ...

    def keep(self, new: NewDistilling) -> int:
        """Record what it cost, and keep what was found if the job is still ours; how many entries that made.

        Left out is what was said in turns that have changed meanwhile, and what had been made of its turn before.
        """
        ...

    def fail(self, task: Distilling, *, error: str, retry_at: float) -> None:
        """Give the job back, if it is still ours."""
        ...


class Jobs(Protocol):
    """What is left to workers: each job done by one at a time, and none lost."""

    def leave(self, conversation: int, jobs: Sequence[LeftJob], *, at: float) -> None:
        """Leave jobs of a conversation to whoever takes them. Left again, a job is the same one, on newer terms."""
        ...

    def renew(self, worker: WorkerInfo) -> None:
        """Say that a worker lives; whoever does not for a minute counts as dead, and its job is free."""
        ...

    def end(self, worker: WorkerInfo) -> None:
        """A worker takes no more jobs."""
        ...

    def take(
        self,
        worker: WorkerInfo,
        *,
        at: float,
        namespace: str | None = None,
        embedders: Sequence[str] = (),
    ) -> Job | None:
        """Take the job that has waited longest, of the kinds that the worker does; None where there is none.

        Batches under way and rules of retention are jobs without anybody leaving them. `namespace`: None for all.
        `embedders`: those at hand, "" for the built-in one. A job whose worker died is taken over.
        """
        ...

    def finish(self, job: Job, worker: WorkerInfo, *, again: float | None = None, worked: bool = True) -> None:
        """Give a job back: done or, from a time on, to be looked at `again`. What was left again meanwhile stays.

        `worked`: whether anything was done. Whoever lost the job changes nothing.
        """
        ...

    def fail(self, job: Job, worker: WorkerInfo, *, error: str, retry_at: float, fault: bool) -> bool:
        """Give a job back that failed, and say why and until when to leave it; whether it is given up.

        `fault`: it failed for its own sake. That often as `TRIES` says, it is given up. Left anew, it is tried once.
        """
        ...

    def revive(self, *, namespace: str | None = None) -> int:
        """Have what was given up tried again; how many jobs."""
        ...

    def state(self, *, at: float, namespace: str | None = None) -> JobsState:
        """Who is alive, what waits since when, what was done, what fails. Counts of what was done are those of all."""
        ...


class Forgetting(Protocol):
    """The exception to a record that is never rewritten."""

    def redact(self, conversation: int, *, turn: int, reason: str, at: float) -> int:
        """Take the words of a turn of any branch out of the record for good, with all that was made of them.

        The result is how many turns it were: those that repeat it go along. Raises NotFound.
        """
        ...


class Health(Protocol):
    """Whom to leave alone, by the record of everybody's requests."""

    def models(self, *, models: Sequence[str], since: float) -> Mapping[str, float]:
        """Which of these models failed for the far side's sake after the time `since`, and have not answered since.

        Each with the time of its newest failure, by the record of everybody's requests in this store.
        """
        ...

    def keys(self, *, keys: Sequence[str], limited_since: float, refused_since: float) -> Sequence[str]:
        """Which of these keys were refused or limited of late and not taken since, by everybody's requests."""
        ...


class Spend(Protocol):
    """What accounts with ceilings hold."""

    def spent(self, account: Account) -> Charge:
        """What an account holds now."""
        ...


class Record(Protocol):
    """What flows read and write."""

    @property
    def branches(self) -> Branches: ...
    @property
    def windows(self) -> Windows: ...
    @property
    def turns(self) -> Turns: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def results(self) -> ToolResults: ...
    @property
    def submissions(self) -> Submissions: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def index(self) -> Index: ...
    @property
    def summaries(self) -> Summaries: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def forgetting(self) -> Forgetting: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def distillings(self) -> Distillings: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def health(self) -> Health: ...
    @property
    def spend(self) -> Spend: ...
