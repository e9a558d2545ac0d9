"""The figures of the documentation: what they show is what the library computes."""

from __future__ import annotations

from pathlib import Path

import pytest

import figures

IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.mark.parametrize("q", figures.CHANCES)
def test_the_planner_cuts_where_the_formula_of_the_page_is_least(q: float) -> None:
    """C(n), tried out for every n, is no less than half a percent below its value where the planner solves it."""
    best = min(figures.cost_of_steps(n, q) for n in range(1, 300))
    solved = round(figures.policy(q).cut_at / figures.GROWTH)
    assert best <= figures.cost_of_steps(solved, q) <= 1.005 * best


def test_the_diagram_of_one_send_is_drawn_as_it_stands() -> None:
    """The picture in docs/images is what `make figures` draws."""
    assert (IMAGES / "one-send.svg").read_text(encoding="utf-8") == figures.one_send()
    assert {"steps.svg", "windows.svg"} <= {file.name for file in IMAGES.iterdir()}
