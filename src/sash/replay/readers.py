"""From recorded conversations to bare traces: files of other programs, and sash's own turns.

Where a reply carries the API's usage and its request continues the one before, sizes are exact: the
difference of two prompts. Elsewhere the turns are counted, and tool results always are. What later calls use of a
result is found by `sash.model.references`. Times are those of the record; turns without
a time follow the one before at once. It opens no file: see `sash.lab.read`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat

from sash.counting.estimator import Estimator
from sash.formats import ImportedConversation, ImportedTurn
from sash.model.blocks import Block, dumps
from sash.model.references import Holder, needs
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.replay.traces import Trace, TraceCall, TraceResult, in_proportion

Counter = Callable[[ImportedTurn], int]
Message = tuple[str, Sequence[Block]]
"""Role and blocks."""


def counter(model: str | None = None) -> Counter:
    """Counts an imported turn as the estimator for `model` would."""
    estimator = Estimator.for_model(model) if model else Estimator()

    def count(turn: ImportedTurn) -> int:
        return max(1, estimator.message(turn.role, turn.content).tokens)

    return count


def of_conversation(conversation: ImportedConversation, *, count: Counter | None = None, name: str = "") -> Trace:
    """The requests behind an imported conversation: one for each run of user turns. Raises InvalidOption if none."""
    count = count or counter()
    requests = tuple(_requests(conversation.turns))
    calls = _calls(requests, count)
    added = [[(turn.role, turn.content) for turn in request.added] for request in requests]
    if requests and requests[-1].reply is not None:
        added.append([(requests[-1].reply.role, requests[-1].reply.content)])

    def size(block: Block) -> int:
        return count(ImportedTurn(role="user", content=[block]))

    return Trace(name or conversation.id, tuple(map(_with_results, calls, _results(added), repeat(size))))


@dataclass(slots=True)
class _Request:
    """The turns that a request added to the prompt, and its reply."""

    added: list[ImportedTurn]
    asked: list[ImportedTurn]
    """those of them that stand behind the last reply"""
    reply: ImportedTurn | None = None

    @property
    def restarts(self) -> bool:
        """A compaction or another branch lies before it: its prompt is no continuation."""
        return any("compaction" in turn.meta for turn in self.added)


def _requests(turns: Iterable[ImportedTurn]) -> Iterator[_Request]:
    current = _Request([], [])
    for turn in turns:
        if turn.role == "assistant" and current.asked:
            current.reply = turn
            yield current
            current = _Request([turn], [])
        elif turn.role == "assistant":
            current.added.append(turn)
        else:
            current.added.append(turn)
            current.asked.append(turn)
    if current.asked:
        yield current


def _calls(requests: Iterable[_Request], count: Counter) -> Iterator[TraceCall]:
    clock: float | None = None
    prompt = 0
    for request in requests:
        at = _time(request.asked, clock)
        tokens, prompt = _size(request, prompt, count)
        gap = 0.0 if clock is None else round(max(0.0, at - clock), 3)
        yield TraceCall(gap, tokens, any(turn.plain for turn in request.asked))
        clock = at


def _time(asked: Sequence[ImportedTurn], before: float | None) -> float:
    times = [turn.at for turn in asked if turn.at is not None]
    return max(times) if times else before or 0.0


def _size(request: _Request, before: int, count: Counter) -> tuple[int, int]:
    """(tokens added, the whole prompt where usage tells it, else 0)."""
    usage = request.reply.usage if request.reply else None
    prompt = Usage.of_prompt(usage).prompt if usage else 0
    if before and prompt > before and not request.restarts:
        return prompt - before, prompt
    return sum(map(count, request.added)), prompt


def of_record(turns: Iterable[Turn], sizes: Callable[[Turn], int], *, name: str) -> Trace:
    """The trace of a recorded conversation; `sizes` gives the tokens of a turn."""
    calls: list[TraceCall] = []
    said: list[list[Message]] = [[]]
    added, clock = 0, 0.0
    for turn in turns:
        added += max(1, sizes(turn))
        said[-1].append((turn.role, turn.blocks))
        if turn.role == "assistant":
            continue
        gap = max(0.0, turn.at - clock) if calls else 0.0
        calls.append(TraceCall(round(gap, 3), added, turn.opens))
        said.append([])
        added, clock = 0, turn.at

    def size(block: Block) -> int:
        return sizes(replace(turn, role="user", content=dumps([block]), mended=None))

    return Trace(name, tuple(map(_with_results, calls, _results(said), repeat(size))))


# What is said of tool results: their sizes, and which replies use them.


@dataclass(frozen=True, slots=True)
class _ResultUsed:
    """A tool result of a request."""

    block: Block
    call: Block
    """that was answered with it"""
    needed: tuple[int, ...]


def _results(said: Sequence[Sequence[Message]]) -> list[list[_ResultUsed]]:
    """The results that each request brought; `said` are the messages that each added, and the last reply behind them.

    A call stands in the first message of what the next request adds: the request before it was answered with it.
    """
    owners = [number for number, messages in enumerate(said) for _ in messages]
    history = list(chain.from_iterable(said))
    used: dict[Holder, set[int]] = {}
    for need in needs(history):
        if need.result is not None:
            used.setdefault(need.result, set()).add(owners[need.message] - 1)
    calls = {b.get("id"): b for _, blocks in history for b in blocks if b.get("type") == "tool_use"}
    found: list[list[_ResultUsed]] = [[] for _ in said]
    for message, (_, blocks) in enumerate(history):
        for block in blocks:
            if block.get("type") == "tool_result":
                id = str(block.get("tool_use_id"))
                needed = tuple(sorted(used.get(Holder(message=message, result=id), ())))
                found[owners[message]].append(_ResultUsed(block, calls.get(id, {}), needed))
    return found


def _with_results(call: TraceCall, results: Sequence[_ResultUsed], size: Callable[[Block], int]) -> TraceCall:
    """The call with its results, counted; in proportion where they come to more than it added by the API's usage."""
    sizes = [(size(result.block), _arguments(result.call, size)) for result in results]
    made = [
        TraceResult(tokens, str(result.call.get("name", "")), result.needed, arguments)
        for (tokens, arguments), result in zip(sizes, results, strict=True)
        if tokens >= 1
    ]
    return replace(call, results=in_proportion(made, call.tokens))


def _arguments(call: Block, size: Callable[[Block], int]) -> int:
    """Tokens that a call is shorter by without its arguments."""
    return max(0, size(call) - size({**call, "input": {}})) if call.get("input") else 0
