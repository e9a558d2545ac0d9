"""The laws over whatever a user does, in whatever order: see `walks.Walk.check`.

Walks are short as they are found, and no time is taken here to make them shorter: `python tests/search_walks.py` looks
for many more, and prints each that broke a law, made shorter, as an entry of `FOUND`.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sash import Recall
from strategies import LONG, WINDOWS, Afternoon, afternoons
from walks import take

BLOCK_AND_RUN = [
    *[("paused",), ("no_tools",), ("retry",), ("send", 3), ("send", 3), ("retry",), ("send", 3), ("no_tools",)],
    *[("die", "requests.begin", 120), ("run_tools", 3, 20)],
]

FOUND: dict[str, Afternoon] = {
    "a request rebuilt whose marked block was redacted since": Afternoon(
        "sliding, one turn",
        [("stream", 120), ("call_tool", True), ("redact", 54), ("window_full",)],
        budget=1500,
        recall=Recall(tokens=500),
    ),
    "retry behind a rejected turn": Afternoon(
        "stepped",
        [("send",), ("rate_limited",), ("rejected",), ("retry",), ("send",)],
    ),
    "retry that is refused": Afternoon(
        "stepped",
        [("send",), ("rate_limited",), ("retry_refused",), ("send",)],
    ),
    "a pinned exchange that goes on behind a withdrawn question": Afternoon(
        "sliding, turns",
        [("call_tool", False), ("refused",), ("send",), ("pin", 0), ("send",), ("send",), ("change_system",)],
    ),
    "a pinned open call, and all behind it withdrawn": Afternoon(
        "sliding, one turn",
        [("call_tool", False), ("pin", 0), ("rejected",), ("send",), ("restart",), ("send",)],
    ),
    "a pin on one branch, seen from another": Afternoon(
        "sliding, tokens",
        [
            *[("send",), ("send",), ("send",), ("pin", 4), ("edit", 0), ("call_tool", False)],
            *[("send",), ("pin", 0), ("send", 400), ("send", 400), ("send", 400)],
        ],
    ),
    "a block that ends on what the user said, for the reply was nothing but thinking": Afternoon(
        "server compaction at every turn",
        [("stopped",), ("change_system",), ("send", 3)],
    ),
    "many pending turns withdrawn at once": Afternoon(
        "everything",
        [("send",), *[("rate_limited",)] * 12, ("dry_run",), ("withdraw",), ("send",), ("send",)],
    ),
    "an old pending turn, answered or rejected late": Afternoon(
        "everything",
        [("rate_limited",), *[("rejected",)] * 10, ("retry",), ("rate_limited",), ("retry_rejected",), ("send",)],
    ),
    "thinking recorded from elsewhere": Afternoon(
        "stepped, own marks",
        [("hear_elsewhere", True), ("hear_elsewhere", True), ("send",)],
    ),
    "thinking recorded from elsewhere, asked again behind it": Afternoon(
        "everything",
        [("stream_left", 3), ("hear_elsewhere", False), ("send",), ("regenerate",), ("send",)],
    ),
    "said elsewhere while calls stand open": Afternoon(
        "stepped, own marks",
        [("run_tools", 4, 120, 1), ("hear_elsewhere", True), ("send",)],
    ),
    "a run that outgrows the budget, and then a send that names no tools": Afternoon(
        "stepped",
        [("run_tools", 6, 400), ("run_tools", 6, 400), ("send",), ("run_tools", 6, 400), ("stopped",)],
    ),
    "a run that outgrows the budget under a way of thinking that does not go with dropped blocks": Afternoon(
        "economic",
        [("change_model", 0, 1), ("send", 600), ("run_tools", 1, 1_500, 5)],
    ),
    "results at once that are too large together": Afternoon(
        "economic",
        [
            *[("send",), ("call_tools", [True] * 3, 3_000), ("send",), ("restart",), ("call_tools", [True], 9_000)],
            *[("rate_limited",), ("retry",), ("call_tools", [True] * 3, 3_000), ("change_system",), ("send", 400)],
        ],
    ),
    "a paused reply given up at its second piece": Afternoon(
        "sliding, budget",
        [("send",), ("paused",), ("rejected",), ("stream_cut", 6, "error"), ("send",)],
    ),
    "thinking kept behind a block, and then calls left out behind it": Afternoon(
        "server compaction",
        BLOCK_AND_RUN,
        budget=1_080,
        system=None,
    ),
    "the same with a window of two turns": Afternoon(
        "server compaction at every turn",
        BLOCK_AND_RUN,
        budget=1_080,
        system=None,
    ),
    "pinned since the view that is gone back to began": Afternoon(
        "server compaction",
        [
            *[("send", 20), ("stopped",), ("rate_limited",), ("regenerate",), ("regenerate",), ("paused",)],
            *[("pin", 53), ("show", 0), ("pin", 0), ("regenerate",)],
        ],
        budget=1_282,
        system=LONG,
    ),
    "pinned, and an edit that goes back to an older view": Afternoon(
        "economic",
        [*[("send", 120)] * 6, ("pin", 0, True), ("edit", 3)],
        budget=1_500,
        system=None,
        recall=Recall(tokens=400),
    ),
    "redacted, and an edit that goes back to an epoch of before": Afternoon(
        "economic",
        [("send",), ("send",), ("redact", 0), ("send",), ("edit", 2)],
    ),
    "redacted, and an edit of a later question": Afternoon(
        "economic",
        [("send",), ("send",), ("send",), ("redact", 0), ("send",), ("edit", 1)],
    ),
    "the answer of calls withdrawn from under what was said elsewhere": Afternoon(
        "economic",
        [("send",), ("calls_overloaded",), ("hear_elsewhere",), ("withdraw",), ("send",), ("send",)],
    ),
    "the same on a longer walk": Afternoon(
        "stepped",
        [
            *[("send", 120)] * 4,
            *[("calls_overloaded",), ("hear_elsewhere",), ("withdraw",), ("send",), ("send",), ("send", 120)],
        ],
        budget=2_500,
        recall=Recall(tokens=400),
    ),
    "a redacted piece of a reply that had paused": Afternoon(
        "economic",
        [("send",), ("paused",), ("send",), ("redact", 3), ("send",), ("redact", 4), ("send",)],
    ),
    "a budget for thinking, and a stand-in that decides by itself how much to think": Afternoon(
        "stepped, own marks",
        [("overloaded",), ("send", 120), ("change_model", 3, 0), ("rate_limited",)],
        budget=1_169,
        system=LONG,
        recall=Recall(tokens=100),
        fallback=True,
    ),
    "a stand-in whose view holds what is attached to the question of a run": Afternoon(
        "economic",
        [("paused",), ("stream_cut", 0, "error"), ("send", 120), ("calls_overloaded", [False])],
        budget=2_384,
        system=LONG,
        recall=Recall(tokens=100),
        fallback=True,
    ),
    "a question that goes on beside, where what was attached to it stands in the view": Afternoon(
        "economic",
        [*[("send", 120)] * 2, *[("overloaded",)] * 2, *[("stream_cut", 0, "error")] * 2, ("send", 120)],
        budget=2_442,
        recall=Recall(tokens=200),
        fallback=True,
    ),
    "a question that goes on beside, where another one is quoted already": Afternoon(
        "economic",
        [
            *[("stream_cut", 0, "error"), *[("send", 120)] * 3, ("overloaded",), ("stream_cut", 0, "error")],
            *[("overloaded",), ("stream_cut", 0, "error"), *[("send", 120)] * 2, ("stream_cut", 0, "error")],
        ],
        budget=2_405,
        system=LONG,
        recall=Recall(tokens=500),
        fallback=True,
    ),
    "an edit, then a model that had epochs side by side, one of them begun behind the edit": Afternoon(
        "clearedtools",
        [
            ("key_refused",),
            ("change_system_in_a_tool_run",),
            ("call_tool", False),
            ("stream_cut", 4, "silent"),
            ("call_tools", [True, True, True], 3000),
            ("edit", 51),
            ("change_model", 4, 0),
        ],
        budget=5_380,
        system=LONG,
        fallback=True,
    ),
    "a fork in the middle of a reply that the server paused, which the fork then gives up": Afternoon(
        "summarised",
        [("paused",), ("send", 20), ("fork", 0), ("send", 20)],
        budget=33_320,
    ),
}
"""Walks that once broke a law."""

AMONG_USERS: dict[str, Afternoon] = {
    "nobody hears of another": Afternoon(
        "everything",
        [step for where in range(5) for step in (("turn_to", where), ("tell", where), ("ask_about_me",))],
        recall=Recall(tokens=500),
        users=True,
    ),
    "a conversation that was told elsewhere is deleted": Afternoon(
        "stepped",
        [("tell", 0), ("set_in_profile", 3), ("turn_to", 1), ("ask_about_me",), ("delete", 0), ("ask_about_me",)],
        recall=Recall(tokens=500),
        users=True,
    ),
    "a turn that was told elsewhere is redacted, and with it what ended another": Afternoon(
        "sliding, turns",
        [
            *[("tell", 0), ("tell", 1), ("turn_to", 1), ("ask_about_me",), ("turn_to", 0), ("redact", 2)],
            *[("redact", 3), ("turn_to", 1), ("send", 3), ("send", 3), ("ask_about_me",)],
        ],
        users=True,
    ),
    "a user is forgotten, and the other is not": Afternoon(
        "summarised, forced",
        [
            *[("tell", 3), ("fork", 0), ("tell", 5), ("turn_to", 2), ("tell", 0), ("set_in_profile", 6)],
            *[("forget_user", False), ("ask_about_me",), ("turn_to", 0), ("ask_about_me",), ("forget_user", True)],
        ],
        recall=Recall(tokens=100),
        users=True,
    ),
}
"""Walks through the walls between users, and through what takes them down: deletion, redaction, a forgotten user."""

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)


ELSEWHERE = frozenset(
    {
        "a request rebuilt whose marked block was redacted since",
        "a pin on one branch, seen from another",
        "many pending turns withdrawn at once",
        "redacted, and an edit that goes back to an epoch of before",
    }
)
"""Walks through forks, pins, recall, withdrawn turns and redaction that are taken on PostgreSQL at every run, too."""


@pytest.mark.parametrize("window", sorted(WINDOWS))
@settings(max_examples=40, phases=QUICK)
@given(data=st.data())
def test_any_walk_keeps_the_laws(window: str, data: st.DataObject) -> None:
    """Whatever is done in whatever order: bodies rebuild, views grow, requests are legal, nothing recorded is lost."""
    take(data.draw(afternoons(window), label="walk"))


@pytest.mark.parametrize(
    "name", [name if name in ELSEWHERE else pytest.param(name, marks=pytest.mark.nightly) for name in sorted(FOUND)]
)
def test_a_walk_keeps_the_laws_on_postgres(name: str, postgres_url: str) -> None:
    """What once broke a law in a file breaks none in another database; some of them at every run, all by night."""
    take(FOUND[name], postgres_url)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_walk_that_once_broke_a_law_keeps_it(name: str) -> None:
    """What was found and mended stays mended."""
    take(FOUND[name])


@pytest.mark.parametrize("name", sorted(AMONG_USERS))
def test_walls_stand_between_users(name: str) -> None:
    """Nobody is told another's words, and what was forgotten is nowhere: neither in the file nor in a request."""
    take(AMONG_USERS[name])


@pytest.mark.parametrize("name", sorted(AMONG_USERS))
def test_walls_stand_on_postgres(name: str, postgres_url: str) -> None:
    """In another database, too."""
    take(AMONG_USERS[name], postgres_url)
