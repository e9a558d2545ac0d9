"""The simulated cache against recorded sessions: `python -m benchmarks.cache_reality --transcripts DIR [--json]`.

Claude Code transcripts hold what each real request read from the cache and wrote to it, and when. Their times
and sizes are replayed through the simulator's cache, and every request's predicted read is compared with the real
one. Only sizes and times are known, not bodies: a prompt that shrank is taken for a new view on the same preamble
(a compaction, a fork, a sub-agent). Printed: the share of requests explained exactly and within 2% of the cached
prefix, and each that is not, with its likeliest cause.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sash import formats
from sash.formats import ImportedConversation, LoggedRequest
from sash.model.cards import TTL_SECONDS, Ttl
from sash.model.usage import Usage
from sash.simulator import CacheBlock, PromptCache

TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One real request beside its prediction, in tokens."""

    session: str
    number: int
    gap_s: float
    predicted: int
    read: int
    cached: int
    cause: str

    @property
    def off(self) -> float:
        """The error as a share of the cached prefix."""
        return abs(self.predicted - self.read) / max(1, self.cached)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transcripts", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    calls = [call for path in sorted(arguments.transcripts.glob("*.jsonl")) for call in session(path)]
    if arguments.json:
        print(json.dumps([asdict(call) for call in calls], indent=1))
    else:
        report(calls)


def session(path: Path) -> Iterator[Call]:
    """The calls of one transcript after its first."""
    for conversation in formats.read(path, "claude_code"):
        yield from replay(path.stem[:8], conversation)


def replay(name: str, conversation: ImportedConversation) -> Iterator[Call]:
    """Feed a session's sizes and times to the cache."""
    requests = formats.requests(conversation)
    used = [Usage.from_wire(request.usage) for request in requests]
    preamble = min((usage.read for usage in used[1:] if usage.read), default=0)
    cache, view = PromptCache(), 0
    segments: list[int] = []
    for number, (request, usage) in enumerate(zip(requests, used, strict=True)):
        prefix = usage.read + usage.write
        shrank = bool(segments) and prefix < sum(segments)
        if shrank:
            view, segments = view + 1, []
        segments = segments or [min(preamble, prefix)]
        segments.append(prefix - sum(segments))
        keys = ["preamble", *((view, place) for place in range(1, len(segments)))]
        marked, ttl = {0, len(segments) - 1}, _ttl(usage)
        blocks = [
            CacheBlock(key=key, tokens=size, marker=ttl if place in marked else None)
            for place, (key, size) in enumerate(zip(keys, segments, strict=True))
        ]
        predicted = cache.request(blocks, now=request.at, tail=usage.fresh).read
        if number:
            gap = request.gap or 0.0
            cause = _cause(request, usage, predicted, gap, shrank=shrank)
            yield Call(
                session=name, number=number, gap_s=round(gap, 1), predicted=predicted, read=usage.read,
                cached=prefix, cause=cause,
            )  # fmt: skip


def _ttl(usage: Usage) -> Ttl:
    return "1h" if usage.write_1h else "5m"


def _cause(request: LoggedRequest, usage: Usage, predicted: int, gap: float, *, shrank: bool) -> str:
    if abs(predicted - usage.read) <= TOLERANCE * max(1, usage.read + usage.write):
        return ""
    if request.after is None:
        return "compaction or a new start"
    if shrank:
        return "the prompt shrank: history edited, a fork or a sub-agent"
    if usage.read < predicted and gap > 0.9 * TTL_SECONDS["5m"]:
        return "a pause near or beyond five minutes: read less than a live entry would give"
    if usage.read < predicted:
        return "read less than was written: history edited unseen, or an entry evicted early"
    return "read more than was known to be written: markers or branches that the file does not show"


def report(calls: list[Call]) -> None:
    """The shares, then every request that is not explained."""
    exact = sum(call.predicted == call.read for call in calls)
    near = sum(call.off <= TOLERANCE for call in calls)
    print(f"{len(calls)} requests: {exact / len(calls):.1%} exact, {near / len(calls):.1%} within 2%")
    for call in calls:
        if call.cause:
            print(
                f"{call.session} #{call.number:<4} gap {call.gap_s:>8.1f} s  predicted {call.predicted:>7,}  "
                f"read {call.read:>7,} of {call.cached:>7,}: {call.cause}"
            )


if __name__ == "__main__":
    main()
