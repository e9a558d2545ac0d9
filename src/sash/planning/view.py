"""The view: how recorded turns become the messages of a request.

`message` gives the sent form of one turn within an epoch, always the same; `body` puts a request
together, for sending and for rebuilding alike. Pure and stateless: the same epoch, turns and `Sent`
give the same body byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

from sash.model.blocks import Block, is_said, without_white_space
from sash.model.epochs import Epoch, Marker, Sent
from sash.model.summaries import Summary
from sash.model.turns import Turn
from sash.planning.overflow.clearing import cleared, names_of, offers_recall, some_cleared
from sash.planning.rules import has_thinking, sendable, strip_thinking

Message = dict[str, Any]
BLOCK = '"type":"compaction"'
"""How content looks that holds a block which the API compacted."""


def message(turn: Turn, epoch: Epoch, call: Turn | None = None) -> Message | None:
    """The sent form of `turn`, or None where nothing of it can be sent (an empty or cut-off reply).

    `call`: the reply before it, whose calls a turn of results answers.
    """
    blocks: Sequence[Block] = turn.blocks
    if turn.state == "interrupted" or not all(map(is_said, blocks)):
        blocks = _left(turn, epoch, call)
    if blocks and turn.attachment is not None and epoch.shows(turn):
        blocks = (*turn.attachment.blocks, *blocks)
    if turn.role == "system" and epoch.tagged:
        return {"role": "user", "content": [as_user_text(block) for block in blocks]} if blocks else None
    return {"role": turn.role, "content": blocks if blocks is turn.blocks else list(blocks)} if blocks else None


def _left(turn: Turn, epoch: Epoch, call: Turn | None) -> Sequence[Block]:
    """What of its blocks is sent: of text that says something all, so most turns need no such look."""
    blocks = sendable(turn.blocks, interrupted=turn.state == "interrupted")
    if bare(turn, epoch):
        blocks = strip_thinking(blocks)
    if turn.role == "user":
        blocks = tuple(without_white_space(blocks))
    if epoch.relief:
        blocks = _relieved(turn, blocks, epoch, call)
    if alone(epoch):
        blocks = tuple(block for block in blocks if block.get("type") != "compaction")
    return blocks


def _relieved(turn: Turn, blocks: Sequence[Block], epoch: Epoch, call: Turn | None) -> tuple[Block, ...]:
    """The blocks with placeholders where the epoch has them."""
    recall = offers_recall(epoch.preamble)
    if turn.seq in epoch.relief.cleared:
        return tuple(cleared(blocks, names_of(call), recall=recall))
    single = epoch.relief.single(turn.seq)
    return tuple(some_cleared(blocks, single, names_of(call), recall=recall) if single else blocks)


def alone(epoch: Epoch) -> bool:
    """Whether blocks that the API compacted by threshold stay out of the turns.

    It would ignore all that stands before them, and a signed block has to be the only one ("Compaction").
    """
    return epoch.summary is not None or bool(epoch.pinned_seqs)


def bare(turn: Turn, epoch: Epoch) -> bool:
    """Whether a turn is sent without thinking: said before the epoch began, or by another model meanwhile.

    Where the API is asked to drop what does not belong, it is left to it ("Preserved thinking").
    """
    foreign = turn.model not in ("", epoch.model) and not epoch.relief.drops
    return turn.seq <= epoch.thinking_stripped_to or foreign


def as_user_text(block: Block) -> Block:
    """An instruction for a model that takes none between turns: the user's text, in a tag that says what it is."""
    if block.get("type") != "text":
        return block  # no legal instruction: the rules will name it
    return {**block, "text": f"<system_instruction>\n{block['text']}\n</system_instruction>"}


class Placed(NamedTuple):
    """Turns of a view as messages, up to some turn, and what is to be known of those behind."""

    numbered: tuple[tuple[int, Message], ...] = ()
    """each with the seq of its turn"""
    waiting: tuple[tuple[int, Message], ...] = ()
    """instructions that are placed where the next reply is, or at the end"""
    speaker: str = ""
    """the role of the last one placed; "" before any"""
    call: Turn | None = None
    """the last reply"""
    instructions: int = 0
    foreign: int = 0
    """replies of other models, sent without the thinking that they hold"""
    compacted: bool = False
    """whether a reply holds a block that the API compacted"""

    def messages(self, epoch: Epoch) -> tuple[tuple[int, Message], ...]:
        """All that is sent, each with the seq of its turn.

        A summary stands in front, with seq 0; it says nothing itself, so an instruction does not follow it.
        """
        front = ((0, carrying(epoch.summary)),) if epoch.summary else ()
        return front + self.numbered + (self.waiting if self.speaker == "user" else ())


def messages(turns: Iterable[Turn], epoch: Epoch) -> tuple[tuple[int, Message], ...]:
    """The messages of a view, each with the seq of its turn."""
    return placed(Placed(), turns, epoch).messages(epoch)


def placed(before: Placed, turns: Iterable[Turn], epoch: Epoch) -> Placed:
    """The turns that follow on those placed before.

    An instruction waits until the user has spoken and the reply is next: the one place where every model that
    takes system turns takes them ("Mid-conversation system messages"), and never between a call and its result.
    What the assistant said before the first thing that the user did is left out: a request cannot begin with it.
    """
    placing = _Placing(before, epoch)
    for turn in turns:
        placing.take(turn)
    return placing.done()


class _Placing:
    """Turns being placed."""

    def __init__(self, before: Placed, epoch: Epoch) -> None:
        self.before, self.epoch = before, epoch
        self.new: list[tuple[int, Message]] = []
        self.waiting = list(before.waiting)
        self.speaker, self.call = before.speaker, before.call
        self.instructions, self.foreign, self.compacted = before.instructions, before.foreign, before.compacted

    def take(self, turn: Turn) -> None:
        """Place one turn."""
        epoch = self.epoch
        sent = message(turn, epoch, self.call) if turn.seq not in epoch.relief.dropped else None
        if turn.role != "user":
            self._note(turn)
        if sent is None:
            return
        if turn.role == "system":
            self.waiting.append((turn.seq, sent))
            return
        if turn.role == "assistant" and self.speaker == "user":
            self.new += self.waiting
            self.waiting.clear()
        if turn.role == "assistant" and not self.speaker and sent["content"][0]["type"] != "compaction":
            return
        if not self.speaker and not turn.plain and turn.role == "user":
            sent = _without_results(sent)
            if not sent["content"]:
                return
        self.new.append((turn.seq, sent))
        self.speaker = turn.role

    def _note(self, turn: Turn) -> None:
        self.instructions += turn.role == "system"
        if turn.role == "assistant":
            self.call = turn
            self.compacted = self.compacted or BLOCK in turn.content
            if turn.seq > self.epoch.thinking_stripped_to and bare(turn, self.epoch):
                self.foreign += has_thinking(turn.blocks)

    def done(self) -> Placed:
        """All that was placed."""
        return Placed(
            numbered=(*self.before.numbered, *self.new),
            waiting=tuple(self.waiting),
            speaker=self.speaker,
            call=self.call,
            instructions=self.instructions,
            foreign=self.foreign,
            compacted=self.compacted,
        )


def carrying(summary: Summary) -> Message:
    """The message that a summary is: data, in the user's voice, never the system's; a signed block as it came."""
    return {"role": summary.role, "content": summary.blocks}


def _without_results(sent: Message) -> Message:
    return {**sent, "content": [block for block in sent["content"] if block["type"] != "tool_result"]}


def body(epoch: Epoch, turns: Sequence[Turn], sent: Sent) -> dict[str, Any]:
    """The whole request body, markers in place."""
    if turns and turns[-1].role == "assistant" and turns[-1].state == "interrupted":
        # It was paused then, and sent to be continued as it was; that it was given up came later.
        turns = (*turns[:-1], replace(turns[-1], state="answered"))
    return assemble(epoch, messages(turns, epoch), sent)


def assemble(epoch: Epoch, numbered: Sequence[tuple[int, Message]], sent: Sent) -> dict[str, Any]:
    """The request body of messages already made."""
    request: dict[str, Any] = {"model": sent.model, "max_tokens": sent.max_tokens}
    if epoch.preamble.tools:
        request["tools"] = _marked(epoch.preamble.tool_list, sent.markers, "tools")
    if epoch.preamble.system:
        request["system"] = _marked(epoch.preamble.system_blocks, sent.markers, "system")
    request["messages"] = _mark_messages(numbered, sent.markers)
    request.update(sent.options)
    return request


def _marked(blocks: Sequence[Block], markers: Iterable[Marker], place: str) -> list[Block]:
    marked = list(blocks)
    for marker in markers:
        if marker.place == place:
            marked[marker.block] = with_marker(marked[marker.block], marker)
    return marked


def _mark_messages(numbered: Sequence[tuple[int, Message]], markers: Iterable[Marker]) -> list[Message]:
    by_seq: dict[int, list[Marker]] = {}
    for marker in markers:
        if marker.place == "turn":
            by_seq.setdefault(marker.seq, []).append(marker)
    marked: list[Message] = [*map(itemgetter(1), numbered)]
    for at in range(len(numbered) - 1, -1, -1):  # from the newest, for there most markers stand
        if not by_seq:
            break
        if (here := by_seq.pop(numbered[at][0], None)) is not None:
            marked[at] = _mark_message(marked[at], here)
    return marked


def _mark_message(sent: Message, markers: Iterable[Marker]) -> Message:
    content = list(sent["content"])
    for marker in markers:
        if marker.block < len(content):  # a turn redacted since has fewer blocks than the request that was marked
            content[marker.block] = with_marker(content[marker.block], marker)
    return {**sent, "content": content}


def with_marker(block: Mapping[str, Any], marker: Marker) -> Block:
    """A copy of `block` that carries the marker; everything else as it was."""
    return {**block, "cache_control": {"type": "ephemeral", "ttl": marker.ttl}}
