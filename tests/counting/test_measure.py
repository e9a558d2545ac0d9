"""Laws of measuring blocks: every type has a size, history is read once, sizes of media come from their headers."""

import base64
import json
import struct
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.counting import media
from sash.counting.bases import COUNTED
from sash.counting.estimator import Estimator
from sash.counting.measure import NOTHING, Measure, _cuts
from sash.errors import InvalidOption
from sash.model.cards import card
from sash.model.images import pixels

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TYPES = (
    "text",
    "image",
    "document",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
    "search_result",
    "new",
)
FIELDS = ("text", "source", "content", "input", "name", "thinking", "signature", "data", "title", "citations")
odd_blocks = st.builds(
    lambda kind, rest: {**rest, "type": kind}, st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), values)
)


def image(raw: bytes, kind: str = "image/png") -> dict[str, Any]:
    """An image block holding these bytes."""
    source = {"type": "base64", "media_type": kind, "data": base64.b64encode(raw).decode()}
    return {"type": "image", "source": source}


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG file of that size."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\0\0\0"


FILES = {
    "png": png(640, 480),
    "gif": b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0" * 20,
    "jpeg": b"\xff\xd8\xff\xe0\0\x0cJFIF" + bytes(6) + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 480, 640) + bytes(12),
    "webp lossy": b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480) + b"\0" * 8,
    "webp lossless": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 639 | 479 << 14) + b"\0" * 8,
    "webp extended": b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"),
}  # fmt: skip


@pytest.mark.parametrize("raw", FILES.values(), ids=FILES)
def test_sizes_are_read_from_headers(raw: bytes) -> None:
    """PNG, GIF, JPEG and the three forms of WebP say 640 by 480."""
    assert pixels(image(raw)["source"]) == (640, 480)


@given(st.binary(max_size=64), st.sampled_from(sorted(FILES)))
def test_broken_files_never_raise(rest: bytes, form: str) -> None:
    """A truncated or spoilt file has no size; it is no error."""
    head = FILES[form][: 12 + len(rest) % 8]
    found = pixels(image(head + rest)["source"])
    assert found is None or min(found) > 0
    media.pages({"data": base64.b64encode(b"%PDF-1.7 /ObjStm stream\n" + rest).decode()})
    assert pixels({"type": "base64", "data": "%%% not base64 %%%"}) is None
    assert pixels({"type": "url", "url": "https://example.org/a.png"}) is None


@pytest.mark.parametrize(
    ("size", "tier", "tokens"),
    [
        ((1000, 1000), "high", 1296),
        ((1920, 1080), "high", 2691),
        ((1920, 1080), "standard", 1560),
        ((200, 200), "high", 64),
    ],
)
def test_documented_image_sizes(size: tuple[int, int], tier: str, tokens: int) -> None:
    """The examples of the documentation ("Vision") come out."""
    assert media.patches(*size, tier) == tokens


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from(["high", "standard"]))
def test_images_stay_below_the_cap(width: int, height: int, tier: str) -> None:
    """No image costs more than its tier's cap, or nothing at all."""
    assert 0 < media.patches(width, height, tier) <= {"high": 4784, "standard": 1568}[tier]


def test_an_image_without_a_readable_size_counts_as_the_cap() -> None:
    """What cannot be measured is bounded by the most an image can cost."""
    estimator = Estimator("v5", base="features")
    unread = estimator.message("user", [{"type": "image", "source": {"type": "url", "url": "https://example.org/a"}}])
    assert unread.tokens >= 4784
    assert unread.tokens > estimator.message("user", [image(png(640, 480))]).tokens


def test_pages_of_a_pdf_are_counted() -> None:
    """Page objects are found plain and in compressed object streams; the page tree is none."""
    packed = zlib.compress(b"<< /Type /Page /Parent 2 0 R >> << /Type/Page >>")
    raw = (
        b"%PDF-1.7\n<< /Type /Pages /Count 3 >>\n<< /Type /Page >>\n<< /Type /ObjStm /Filter /FlateDecode >>stream\n"
        + packed
    )
    assert media.pages({"data": base64.b64encode(raw).decode()}) == 3


@given(st.lists(odd_blocks, max_size=4))
def test_any_block_has_a_size(blocks: list[dict[str, Any]]) -> None:
    """Malformed, half-filled and unknown blocks are counted, never refused: judging them is not counting's work."""
    count = Estimator("v5", base="features").message("user", blocks)
    assert count.upper >= count.tokens >= 0


def test_unknown_blocks_are_bounded_generously() -> None:
    """A type nobody knows is bounded by its JSON at 1.5 bytes a token at the least."""
    count = Estimator("v5", base="features").message("user", [{"type": "hologram", "payload": "word " * 200}])
    assert count.upper >= 1000 / 1.5
    assert count.upper > 2 * count.tokens


def test_a_signature_alone_is_bounded() -> None:
    """A thinking block without text has a bound that grows with its signature."""
    short, long = (
        Estimator("v5", base="features").message(
            "assistant", [{"type": "thinking", "thinking": "", "signature": "x" * n}]
        )
        for n in (400, 4000)
    )
    assert long.upper > 2 * short.upper > 0


@given(st.integers(0, 4_000), st.sampled_from([("thinking", "signature"), ("redacted_thinking", "data")]))
def test_the_bound_of_a_hidden_thought_takes_nothing_off(letters: int, kind: tuple[str, str]) -> None:
    """At the bound all bytes that a signature can carry are of the thought: its overhead is not documented."""
    block = {"type": kind[0], "thinking": "", kind[1]: "x" * letters}
    empty = {"type": kind[0], "thinking": "", kind[1]: ""}
    estimator = Estimator.for_model(card("claude-sonnet-5-5"))
    bound, least = (estimator.count(estimator.measure_message("assistant", [b])).upper for b in (block, empty))
    assert bound - least >= int(letters * 0.75 / 3)


def test_thinking_that_a_model_strips_is_doubt_only() -> None:
    """Where earlier thinking leaves the context it counts nothing, but an open exchange may keep it: the bound does."""
    said = [{"type": "thinking", "thinking": "let me see " * 40, "signature": "x"}, {"type": "text", "text": "Yes."}]
    kept, stripped = (
        Estimator.for_model(model, base="features").message("assistant", said)
        for model in ("claude-opus-4-6", "claude-sonnet-4-5")
    )
    assert stripped.tokens < 12 < 100 < kept.tokens
    assert stripped.upper > 100


def test_markers_cost_nothing() -> None:
    """A cache_control marker does not change a count."""
    plain = {"type": "text", "text": "hello there"}
    marked = {**plain, "cache_control": {"type": "ephemeral"}}
    estimator = Estimator("v5", base="features")
    assert estimator.message("user", [plain]) == estimator.message("user", [marked])


def test_a_string_is_one_text_block() -> None:
    """Both forms of content are the same tokens."""
    estimator = Estimator("v5", base="features")
    assert estimator.message("user", "hello") == estimator.message("user", [{"type": "text", "text": "hello"}])


def test_history_is_tokenized_once() -> None:
    """Counting a turn reads its characters once; recounting its measure after a lesson reads none."""
    estimator = Estimator("v5", base="features")
    read = []
    for n in range(1, 30):
        before = estimator.characters
        measure = estimator.measure_message("user", f"turn {n:02d}")
        estimator.correction = estimator.learned(measure, 8)
        estimator.count(measure)
        read.append(estimator.characters - before)
    assert read == [len("turn 01")] * 29


def test_tools_cost_their_prompt_and_definitions() -> None:
    """No tools cost nothing; the first brings the added prompt, a forced choice a longer one, deferred ones nothing."""
    estimator = Estimator.for_model("claude-opus-4-8", base="features")
    tool = {"name": "lookup", "description": "Looks up an order.", "input_schema": {"type": "object", "properties": {}}}
    none, one, two = (estimator.preamble((), [tool] * n).tokens for n in range(3))
    assert 290 < one - none < 360
    assert 0 < two - one < 70
    assert estimator.preamble((), [tool], {"type": "any"}).tokens - one == 120
    assert estimator.preamble((), [tool, {**tool, "defer_loading": True}]).tokens == one


def test_server_tools_have_known_sizes() -> None:
    """The text editor costs about 700 tokens; a tool nobody described has a wide bound."""
    estimator = Estimator.for_model("claude-opus-4-8", base="features")
    one, unknown = (
        estimator.preamble((), [{"type": kind, "name": "t"}]) for kind in ("text_editor_20250728", "telepathy_20270101")
    )
    assert 950 < one.tokens < 1050
    assert unknown.margin > 5_000


@given(st.text(max_size=50), st.integers(1, 400_000))
def test_cuts_cover_the_text(seed: str, length: int) -> None:
    """Chunks are gapless, in order, and short enough for a tokenizer."""
    text = ((seed or "x") * length)[:length]
    cuts = _cuts(text)
    assert cuts[0][0] == 0
    assert cuts[-1][1] == len(text)
    assert all(a[1] == b[0] for a, b in pairwise(cuts))
    assert all(0 < end - start <= 100_000 for start, end in cuts)


@pytest.mark.slow
def test_a_twenty_megabyte_text_is_sampled(base: str) -> None:
    """A text too long for any window is counted in samples; the rest is scaled and bounded."""
    estimator = Estimator("v5", base=base)
    count = estimator.text("The quick brown fox jumps.\n" * 750_000)
    assert estimator.characters <= 1.1 * COUNTED
    assert count.upper > count.tokens > 3_000_000


def test_measures_survive_a_store() -> None:
    """A measure written as JSON and read back counts the same."""
    estimator = Estimator("v5", base="features")
    measure = estimator.measure_message("assistant", [{"type": "tool_use", "name": "f", "input": {"a": "b", "n": 3}}])
    again = Measure.from_json(json.loads(json.dumps(measure.as_json())))
    assert estimator.count(again) == estimator.count(measure)


def test_measures_hold_no_negative_amounts() -> None:
    """A measure with a negative or infinite amount cannot be built; nothing adds nothing."""
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(InvalidOption):
            Measure(parts={"prose": wrong})
    assert NOTHING + NOTHING == NOTHING
