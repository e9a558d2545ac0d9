"""The hash of a body that grew is that of its JSON text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sash.model.blocks import dumps
from sash.planning.digest import Digest, body_hash

texts = st.sampled_from(["Hello.", "Danke schön", '好的, "so"', ""])
messages = st.builds(lambda role, said: {"role": role, "content": said}, st.sampled_from(["user", "assistant"]), texts)
equal = st.sampled_from(
    [0, 1, True, False, 1.0, 0.0, -0.0, {"a": 1, "b": [1]}, {"b": [1], "a": 1}, {"a": 1, "b": [True]}]
)
called = st.builds(lambda given: {"role": "assistant", "content": [{"type": "tool_use", "input": given}]}, equal)
added = st.lists(messages | called, max_size=9)
fields = st.dictionaries(st.sampled_from(["model", "system", "thinking", "z"]), texts | st.integers() | equal)


@given(st.lists(st.tuples(st.integers(0, 9), added, fields, fields), min_size=1, max_size=8))
@example([(0, [{"role": "user", "content": [1]}] * 6, {}, {}), (6, [{"role": "user", "content": [True]}] * 6, {}, {})])
def test_bodies_one_after_the_other_have_the_hashes_of_their_texts(steps: list[Any]) -> None:
    """Whatever is dropped at the end, added behind it, said anew in equal values, or changed around the messages."""
    digest = Digest()
    said: list[dict[str, Any]] = []
    for dropped, new, before, after in steps:
        said = [*said[: max(0, len(said) - dropped)], *new]
        body = {
            **before,
            "messages": list(said),
            **{name: value for name, value in after.items() if name not in before},
        }
        assert digest.of(body) == body_hash(body)


def test_of_a_request_that_grows_only_the_newest_messages_are_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markers move along with the end of a conversation; what stands in front of them is hashed once."""
    digest, written = Digest(), list[int]()

    def counting(value: Any) -> str:
        written[-1] += len(value) if isinstance(value, list | tuple) else 0
        return dumps(value)

    monkeypatch.setattr("sash.planning.digest.dumps", counting)
    hello = {"type": "text", "text": "Hello."}
    said = [{"role": role, "content": [hello]} for role in ("user", "assistant")]
    marked = {"role": "user", "content": [{**hello, "cache_control": {"type": "ephemeral"}}]}
    for exchanges in range(1, 40):
        messages: list[Any] = [*said * exchanges, marked]
        messages[-3] = marked
        written.append(0)
        digest.of({"model": "m", "messages": messages})
    assert max(written) <= 8
