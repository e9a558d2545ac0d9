"""Thinking blocks: signing them to their exact prefix, and judging those that come back.

A signature names the model, the size in tokens, the organization, the digest of everything before the block
(`prompt.Chain`, thinking left out), how many thinking blocks stood before it and the last of them; a check sum
guards it all and the visible text. So a block proves itself to any simulator, without memory. "Preserved
thinking" docs: earlier blocks may be dropped from the start or the end, never from the middle, never restored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sash.model.cards import ModelCard, base_name
from sash.simulator import sealing
from sash.simulator.prompt import SIGNATURE_MARK, THINKING, Block, Chain, blocks_of, preamble_chain
from sash.simulator.shapes import Problem

# "Preserved thinking": who can read whose thoughts, beside its own. 5.2 thoughts are for 5.2 models alone.
_OLD_OPUS = ("claude-opus-4-5", "claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-opus-5")
_READS: dict[str, tuple[str, ...]] = {
    "claude-opus-5-5": (*_OLD_OPUS, "claude-sonnet-5-5"),
    "claude-sonnet-5-5": ("claude-sonnet-5", "claude-opus-4-8", "claude-haiku-4-5"),
    "claude-fable-5-1": ("claude-opus-5-5", "claude-mythos-5-1"),
    "claude-mythos-5-1": ("claude-opus-5-5", "claude-fable-5-1"),
    "claude-fable-5-2": ("claude-mythos-5-2",),
    "claude-mythos-5-2": ("claude-fable-5-2",),
}
_ACCOUNT_BOUND = ("claude-sonnet-5-5", "claude-haiku-5-5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a signature says."""

    model: str
    tokens: int
    organization: str
    prefix: str
    before: int
    """How many thinking blocks (of models this one reads) stood before it."""
    previous: str
    """The check sum of the last of them, or `-`."""
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A thinking block that the request goes on without, and the API's reason."""

    message: int
    block: int
    reason: str

    def wire(self) -> dict[str, str]:
        """An entry of `input_transformations`."""
        path = f"messages.{self.message}.content.{self.block}"
        return {"type": "thinking_dropped", "path": path, "reason": self.reason}


@dataclass(slots=True)
class Judgement:
    """The verdict on all thinking blocks of a request, and the chain that a new block will be bound to."""

    chain: Chain
    before: int = 0
    previous: str = "-"
    problems: list[Problem] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def organization_tag(organization: str) -> str:
    """A short digest of the organization's id, for signatures."""
    return hashlib.blake2b(organization.encode(), digest_size=4).hexdigest()


def _check(parts: list[str], text: str) -> str:
    material = "\x1f".join([*parts, text]).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(material, digest_size=8, key=b"sash simulator").hexdigest()


def sign(judged: Judgement, model: str, organization: str, *, size: int, text: str, chain: Chain) -> str:
    """The signature of a new thinking block that stands behind `chain`; the next one will link to it."""
    parts = [
        SIGNATURE_MARK,
        base_name(model),
        str(size),
        organization_tag(organization),
        chain.bare.hex(),
        str(judged.before),
        judged.previous,
        "0" * (4 * size),  # a signature carries the thought, in base64: three bytes for a token, in four letters
    ]
    check = _check(parts, text)
    judged.before, judged.previous = judged.before + 1, check
    return ".".join([*parts, check])


def read_signature(block: Mapping[str, Any]) -> Signature | None:
    """What the block's signature (or redacted data) says; None when this simulator did not write it."""
    parts = str(block.get("signature") or block.get("data") or "").split(".")
    if len(parts) != 9 or parts[0] != SIGNATURE_MARK or not (parts[2].isdigit() and parts[5].isdigit()):
        return None
    _, model, size, organization, prefix, before, previous, _, check = parts
    return Signature(
        model=model,
        tokens=int(size),
        organization=organization,
        prefix=prefix,
        before=int(before),
        previous=previous,
        check=check,
    )


def is_intact(block: Mapping[str, Any]) -> bool:
    """Whether the check sum fits the signature and the visible text."""
    parts = str(block.get("signature") or block.get("data") or "").split(".")
    return _check(parts[:-1], str(block.get("thinking") or "")) == parts[-1]


def can_read(reader: str, writer: str) -> bool:
    """Whether a model reads the thinking of another; models before 5.5 read none but their own (cautious)."""
    reader, writer = base_name(reader), base_name(writer)
    return reader == writer or writer in _READS.get(reader, ())


def judge(
    body: Mapping[str, Any],
    card: ModelCard,
    *,
    organization: str,
    new_account: bool,
    accept_foreign: bool,
    batch: bool = False,
) -> Judgement:
    """Check every thinking block of a well-formed body.

    `new_account`: binding is enforced although the request does not ask for it. `accept_foreign`: signatures
    of another make (recorded from the real API) pass unchecked, else they are invalid. In a `batch`, blocks bound
    elsewhere are dropped where the request does not say otherwise ("Preserved thinking").
    """
    behaviour = ((body.get("thinking") or {}).get("block_binding") or {}).get("prefix_mismatch_behavior")
    judged = Judgement(preamble_chain(body))
    judge = _Judge(
        judged=judged,
        card=card,
        organization=organization,
        bound=card.thinking_bound and (card.thinking_bound_for_all or new_account or behaviour is not None),
        drops=behaviour == "drop_block" or (batch and behaviour is None),
        accept_foreign=accept_foreign,
        latest=max((i for i, m in enumerate(body["messages"]) if m["role"] == "assistant"), default=-1),
    )
    for place, role, block in _places(body):
        if block.get("type") == "compaction" and block.get("content"):
            judged.chain, judged.before, judged.previous = preamble_chain(body), 0, "-"
            if (found := sealing.resumed(block, body)) is not None:
                judged.chain = Chain(bytes.fromhex(found.prefix), judged.chain.full, found.role)
                judged.before, judged.previous = found.before, found.previous
                continue
        if block.get("type") in THINKING:
            judge.see(block, place)
        judged.chain.fold(role, block)
    return judged


def _places(body: Mapping[str, Any]) -> Iterator[tuple[tuple[int, int], str, Block]]:
    for index, message in enumerate(body["messages"]):
        for position, block in enumerate(blocks_of(message["content"])):
            yield (index, position), message["role"], block


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Judges the thinking blocks of one request, in their order."""

    judged: Judgement
    card: ModelCard
    organization: str
    bound: bool
    drops: bool
    accept_foreign: bool
    latest: int
    """The index of the latest assistant message."""

    def see(self, block: Block, place: tuple[int, int]) -> None:
        """Judge one block; what came before it is in `judged`."""
        signature = read_signature(block)
        if signature is None:
            if not self.accept_foreign:
                self.judged.problems.append(_invalid(place, block, altered=False))
        elif not is_intact(block):
            self.judged.problems.append(_invalid(place, block, altered=place[0] == self.latest))
        else:
            self._weigh(signature, place)

    def _weigh(self, signature: Signature, place: tuple[int, int]) -> None:
        reason = self._mismatch(signature)
        if reason == "prefix_binding_mismatch" and not self.drops:
            self.judged.problems.append(_other_conversation(place))
        elif reason is not None:
            self.judged.dropped.append(Dropped(message=place[0], block=place[1], reason=reason))
        if reason != "model_binding_mismatch":
            self.judged.before, self.judged.previous = self.judged.before + 1, signature.check

    def _mismatch(self, signature: Signature) -> str | None:
        """Why the block may not be read, in the API's order of precedence."""
        if signature.model in _ACCOUNT_BOUND and signature.organization != organization_tag(self.organization):
            return "organization_binding_mismatch"
        if not can_read(self.card.id, signature.model):
            return "model_binding_mismatch"
        before = self.judged.before
        moved = signature.prefix != self.judged.chain.bare.hex()
        broken = before > signature.before or (before > 0 and self.judged.previous != signature.previous)
        return "prefix_binding_mismatch" if self.bound and (moved or broken) else None


def _invalid(place: tuple[int, int], block: Block, *, altered: bool) -> Problem:
    at = f"messages.{place[0]}.content.{place[1]}"
    if altered:
        message = f"{at}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified"
        return Problem(rule="thinking_altered", message=message)
    return Problem(rule="thinking_signature", message=f"{at}: Invalid `signature` in `{block['type']}` block")


def _other_conversation(place: tuple[int, int]) -> Problem:
    return Problem(
        rule="thinking_binding",
        message=f"messages.{place[0]}.content.{place[1]}: Invalid `signature` in `thinking` block: it is bound to a "
        "different conversation. Send the conversation unchanged, remove all thinking blocks, or set "
        "thinking.block_binding.prefix_mismatch_behavior to 'drop_block'.",
    )


def without(body: Mapping[str, Any], dropped: list[Dropped]) -> Mapping[str, Any]:
    """The body without the dropped blocks."""
    if not dropped:
        return body
    gone = {(drop.message, drop.block) for drop in dropped}
    messages = [
        {**message, "content": [b for at, b in enumerate(blocks_of(message["content"])) if (index, at) not in gone]}
        for index, message in enumerate(body["messages"])
    ]
    return {**body, "messages": messages}
