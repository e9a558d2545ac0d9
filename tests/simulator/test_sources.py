"""Where the simulator's rules come from is said of each, and of nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sash.simulator
from sash.simulator import checks

HOUSE = Path(sash.simulator.__file__).parent


def rows() -> list[list[str]]:
    """The cells of the table in the simulator's docstring."""
    lines = [line for line in (sash.simulator.__doc__ or "").splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(*modules: str) -> set[str]:
    """The rules by which the code of these modules (all without any) refuses."""
    trees = [ast.parse(path.read_text()) for path in HOUSE.glob("*.py") if not modules or path.stem in modules]
    words = [word for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords]
    said = {word.value.value for word in words if word.arg == "rule" and isinstance(word.value, ast.Constant)}
    defaults = {
        default.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        if argument.arg == "rule" and isinstance(default, ast.Constant)
    }
    return {str(one) for one in said | defaults}


def test_every_rule_has_a_row_and_every_row_its_rule() -> None:
    """The table of sources names each rule that a request can be refused by, once, and no other."""
    listed = [rule for cells in rows() for rule in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(listed) == sorted(named())
    assert named("checks") and len(checks._RULES) > 20


def test_every_row_says_where_it_comes_from() -> None:
    """Each row says what is refused, and has a source or says that it is a guess."""
    for cells in rows():
        assert len(cells) == 4 and cells[1] and (cells[2] or cells[3])
