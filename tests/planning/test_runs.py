"""How long tool runs are expected to last."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sash.planning.runs import RunModel

lengths = st.lists(st.integers(1, 400), max_size=30)


def learned(lengths: list[int]) -> RunModel:
    """The model after runs of these lengths."""
    model = RunModel()
    for length in lengths:
        model = model.after(length)
    return model


@given(lengths, st.integers(1, 2_000))
def test_something_is_always_to_be_expected(seen: list[int], so_far: int) -> None:
    """A run may go on however short those before were; how long is finite."""
    assert 0.0 < learned(seen).left(so_far) < 10_000


@given(lengths)
def test_what_was_learned_survives_the_record(seen: list[int]) -> None:
    """A trip through JSON text changes nothing that is expected."""
    model = learned(seen)
    again = RunModel.from_json(json.loads(json.dumps(model.to_json())))
    assert [again.left(n) for n in (1, 5, 40)] == [model.left(n) for n in (1, 5, 40)]


@given(st.integers(1, 120), st.integers(2, 40))
def test_long_runs_make_one_expect_more(short: int, times: int) -> None:
    """After runs that lasted longer, more requests are expected of the next one."""
    assert learned([8 * short] * times).left(1) > learned([short] * times).left(1)


def test_a_chat_without_tools_expects_next_to_nothing() -> None:
    """Where every question had one answer, the next one will."""
    assert learned([1] * 40).left(1) < 0.5
