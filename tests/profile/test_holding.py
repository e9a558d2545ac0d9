"""What one more statement does to what holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, Turn, as_turns
from sash.profile import learned
from sash.profile.holding import Holding


def turns(*said: str) -> list[Turn]:
    """A turn of the user's for each text, each later than the one before."""
    return [
        *as_turns([Draft(role="user", content=dumps([text_block(text)])) for text in said], head=0, now=0.0),
    ]


def hold(*said: str, order: list[int] | None = None) -> list[str]:
    """What holds after these statements, each said a minute after the one before, read in any order."""
    held = Holding(())
    for place in order or range(len(said)):
        for one, _ in learned(turns(said[place])):
            held.take(held.change(one, by="rules", at=60.0 * place))
    return sorted(entry.text for entry in held.entries)


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        (["My dog is called Rex.", "My dog died."], ["My dog died."]),
        (["My dog's name is Rex.", "I have a dog.", "My dog died last week."], ["My dog died last week."]),
        (["I have a cat called Tom.", "My dog died."], ["I have a cat called Tom.", "My dog died."]),
        (["My dog walker is Tom.", "My dog died."], ["My dog died.", "My dog walker is Tom."]),
        (["My car is a Volvo.", "I sold the car."], ["I sold the car."]),
        (["I live in Paris.", "I don't live in Paris any more."], ["I don't live in Paris any more."]),
        (["I live in Utrecht.", "I no longer live in Paris."], ["I live in Utrecht.", "I no longer live in Paris."]),
        (["I no longer live in Paris.", "I live in Utrecht."], ["I live in Utrecht."]),
        (["I work at Shell.", "I don't work at Shell any more."], ["I don't work at Shell any more."]),
        (["Mein Hund heißt Rex.", "Mein Hund ist gestorben."], ["Mein Hund ist gestorben."]),
        (["Mon chien s'appelle Rex.", "Mon chien est mort."], ["Mon chien est mort."]),
        (["Mi perro se llama Rex.", "Mi perro murió."], ["Mi perro murió."]),
        (["我的狗叫小白。", "我的狗死了。"], ["我的狗死了。"]),
        (["我住在北京。", "我不住在北京了。"], ["我不住在北京了。"]),
        (["我喜欢爬山。", "我喜欢游泳。"], ["我喜欢游泳。", "我喜欢爬山。"]),
        (["I'm scared of heights.", "I'm scared of heights and lifts."], ["I'm scared of heights and lifts."]),
        (["I'm vegetarian.", "I am no longer vegetarian."], ["I am no longer vegetarian."]),
    ],
)
def test_what_is_over_no_longer_holds(said: list[str], holds: list[str]) -> None:
    """A statement that something is over ends what names the same, and nothing else."""
    assert hold(*said) == sorted(holds)


@given(
    st.permutations(range(6)),
    st.lists(
        st.sampled_from(
            [
                "I live in Rome.",
                "We moved to Oslo.",
                "Call me Ann.",
                "I like olives.",
                "I don't like olives.",
                "Be brief.",
            ]
        ),
        min_size=6,
        max_size=6,
    ),
)
def test_what_holds_does_not_depend_on_when_it_is_read(order: list[int], said: list[str]) -> None:
    """Statements read late count as of when they were made."""
    assert {text.lower() for text in hold(*said, order=order)} == {text.lower() for text in hold(*said)}
