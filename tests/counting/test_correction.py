"""Laws of learning from usage."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sash.counting.classes import CLASSES
from sash.counting.constants import UNIT_NAMES, units
from sash.counting.correction import Correction
from sash.counting.estimator import Estimator
from sash.counting.measure import Measure, some


def taught(measure: Measure, exact: int, times: int, base: str = "features") -> Correction:
    """The correction after the same lesson several times."""
    state = Correction()
    for _ in range(times):
        state = state.learn(measure, exact, exact, base=base, units=units(None, "v5"))
    return state


def test_a_changed_constant_is_learned() -> None:
    """When the tool prompt grew by 100 tokens, lessons bring the estimate there, however wrong the table is."""
    estimator = Estimator.for_model("claude-opus-4-8", base="features")
    measure = estimator.measure_preamble("Be brief.", [{"name": "a", "input_schema": {"type": "object"}}])
    real = estimator.count(measure).tokens + 100
    for _ in range(60):
        estimator.correction = estimator.learned(measure, real)
    assert abs(estimator.count(measure).tokens - real) <= 10


def test_a_class_that_runs_high_is_learned_where_the_base_is_no_claude_tokenizer() -> None:
    """On features, code that always costs 10% more raises the factor of code, and of nothing else."""
    state = taught(some("code", 2_000), 2_200, 60)
    assert 1.08 < state.value("code", 1.0) < 1.12
    assert state.value("prose", 1.0) == 1.0


def test_ctok_keeps_its_text_counts() -> None:
    """On ctok only constants are learned: a surprise in text moves no factor."""
    state = taught(some("code", 2_000) + some("user"), 2_200, 60, base="ctok")
    assert all(state.value(name, 1.0) == 1.0 for name in CLASSES)
    assert state.value("user", 3.0) != 3.0


def test_nothing_is_learned_about_what_was_not_there() -> None:
    """Without excitation neither value nor certainty changes."""
    state, table = taught(some("user", 1), 9, 200), units(None, "v5")
    both = state.learn(some("image", 1), 4, 4, base="features", units=table)
    fresh = Correction().learn(some("image", 1), 4, 4, base="features", units=table)
    assert state.value("image", table["image"].tokens) == table["image"].tokens
    assert both.spread["image"] == fresh.spread["image"]
    assert both.spread["user"] == state.spread["user"] and both.value("user", -1) == state.value("user", -1)


def test_an_unseen_injection_teaches_nothing() -> None:
    """A turn that cost 20,000 tokens more than it could is no lesson: something else was sent."""
    assert taught(some("prose", 100), 20_000, 3) == Correction()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.dictionaries(st.sampled_from(["prose", "code", "user", "tool use"]), st.floats(0, 3000)),
                          st.integers(1, 8000)), max_size=25))  # fmt: skip
def test_learned_values_stay_clamped(lessons: list[tuple[dict[str, float], int]]) -> None:
    """Whatever usage says, factors stay between 0.6 and 1.7 and constants near their priors; the state is JSON."""
    state, table = Correction(), units(None, "v5")
    for parts, exact in lessons:
        state = state.learn(Measure(parts=parts), exact, exact, base="tiktoken", units=table)
    for name, value in state.values.items():
        if name in CLASSES:
            assert 0.6 <= value <= 1.7
        else:
            cost = table[name]  # type: ignore[index]
            assert abs(value - cost.tokens) <= max(40.0, 4 * cost.spread) + 1e-3
    assert Correction.from_json(json.loads(json.dumps(state.as_json()))) == state


def test_a_state_of_another_shape_starts_afresh() -> None:
    """State written by a version that knew other parts is dropped, not misread."""
    for spread in ([[1.0]], {"smell": {"smell": 1.0}}):
        assert Correction.from_json({"values": {}, "spread": spread, "residuals": {}, "lessons": 4}) == Correction()


def test_a_state_with_all_rows_goes_on() -> None:
    """State that names no parts, but lists the covariance of all of them, teaches what the same with names does."""
    table, names = units(None, "v5"), [*CLASSES, *UNIT_NAMES]
    lesson = Measure(parts={"user": 1.0, "block": 2.0})
    state = taught(lesson, 12, 3, base="ctok")
    variances = {str(name): 0.08**2 for name in CLASSES} | {
        name: max(1.0, cost.spread / 2) ** 2 for name, cost in table.items()
    }
    rows = [[state.spread.get(a, {a: variances[a]}).get(b, 0.0) for b in names] for a in names]
    told = Correction.from_json({**state.as_json(), "spread": rows})
    after = told.learn(lesson, 15, 15, base="ctok", units=table)
    assert after.values == state.learn(lesson, 15, 15, base="ctok", units=table).values


def test_turns_that_pass_their_bound_show_what_is_unseen() -> None:
    """Where an application injects text unseen, the estimator knows by how much nearly all turns passed their bound."""
    estimator = Estimator("v5", base="features")
    measure = estimator.measure_message("user", "hello there")
    upper = estimator.count(measure).upper
    for n in range(60):
        assert estimator.unseen == 0 or n >= 20
        estimator.correction = estimator.learned(measure, 8 + 500 * (n % 10 == 0))
    assert 400 <= estimator.unseen <= 500
    assert estimator.count(measure).upper < upper + 400


def test_the_endpoint_gets_a_bound_of_its_own() -> None:
    """Two percent at first; what usage confirmed 200 times and more makes it small."""
    estimator = Estimator("v5", base="features")
    assert estimator.endpoint(10_000).upper == 10_201
    for _ in range(250):
        estimator.correction = estimator.checked(10_000, 10_003)
    assert 10_003 <= estimator.endpoint(10_000).upper < 10_010
    assert estimator.endpoint(10_000).source == "endpoint"


def test_parts_that_always_come_in_one_ratio_can_be_learned_for_ever() -> None:
    """What no lesson tells apart is forgotten again and again: the uncertainty stays bounded, and so do the factors."""
    table = units(None, "v5")
    state, measure = Correction(), Measure(parts={"user": 1.0, "prose": 165.0}, fixed=3.0)
    for number in range(9_000):
        state = state.learn(measure, 180 + number % 7, 200.0, base="features", units=table)
    assert state.lessons == 9_000 and 0.5 < state.value("prose", 1.0) < 2
