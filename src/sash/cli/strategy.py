"""Strategies by text, as their repr shows them: `SteppedWindow(keep=2000)`; ones of your own: `mine.windows:Last(3)`.

The strategies of `sash.planning.strategies` are known by name, others by module and name. Arguments are literals, or
strategies again; nothing is evaluated. Naming a module imports it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from sash.errors import InvalidOption
from sash.planning import strategies
from sash.planning.situation import Strategy
from sash.planning.traits import check_strategy
from sash.recall import Recall

KNOWN: dict[str, Any] = {
    name: found for name in strategies.__all__ if hasattr(found := getattr(strategies, name), "decide")
}

_OWN = re.compile(r"\s*(?P<module>[^\W\d][\w.]*):(?P<made>[^\W\d]\w*\s*(?:\(.*)?)", re.DOTALL)


def label(strategy: str) -> str:
    """The repr of a strategy, bare where it has its defaults: `SteppedWindow`, `SteppedWindow(keep=2000)`."""
    return strategy.removesuffix("()")


def parse_strategy(text: str) -> Strategy:
    """The strategy that `text` spells. Raises InvalidOption with what would be understood."""
    made: Strategy = _made(text, KNOWN)
    check_strategy(made)
    return made


def _made(text: str, known: Mapping[str, Any]) -> Any:
    """What `text` spells: the name of something known, or of something in a module, and its arguments if any."""
    own = _OWN.fullmatch(text)
    tree = _tree(own["made"] if own else text, text)
    if own is None:
        return _value_of(tree, known, text)
    called = tree if isinstance(tree, ast.Call) else ast.Call(func=tree, args=[], keywords=[])
    found = _found(own["module"], str(getattr(called.func, "id", "")), text)
    if not isinstance(found, type) and isinstance(tree, ast.Name):
        return found
    return _call(found, called, known, text)


def _tree(text: str, whole: str) -> ast.expr:
    """A name or a call."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _not_understood(whole) from None
    if not isinstance(tree, ast.Name) and not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
        raise _not_understood(whole)
    return tree


def _found(module: str, name: str, text: str) -> Any:
    """What a module calls so; modules of the folder at hand are found, too. Raises InvalidOption."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise InvalidOption(
            f"strategy {text!r}: {what}; name a module as Python imports it from here, and what it calls the strategy, "
            'e.g. "mine.windows:Last(3)"',
            option="strategy",
            value=text,
        ) from error


def _value_of(node: ast.expr, known: Mapping[str, Any], text: str) -> Any:
    """Something known, or a literal argument of one."""
    if isinstance(node, ast.Name):
        node = ast.Call(func=node, args=[], keywords=[])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in known:
            raise _not_understood(text)
        return _call(known[node.func.id], node, known, text)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise _not_understood(text) from None


def _call(make: Callable[..., Any], node: ast.Call, known: Mapping[str, Any], text: str) -> Any:
    if not all(argument.arg for argument in node.keywords):
        raise _not_understood(text)
    values = [_value_of(argument, known, text) for argument in node.args]
    named = {str(argument.arg): _value_of(argument.value, known, text) for argument in node.keywords}
    return _called(make, values, named, text)


def _called(make: Callable[..., Any], values: Sequence[Any], named: Mapping[str, Any], text: str) -> Any:
    try:
        return make(*values, **named)
    except InvalidOption:
        raise
    except Exception as error:
        raise InvalidOption(
            f"strategy {text!r}: {type(error).__name__}: {error}", option="strategy", value=text
        ) from error


def _not_understood(text: str) -> InvalidOption:
    return InvalidOption(
        f"strategy {text!r} is not understood; write one of {', '.join(KNOWN)} with plain numbers, "
        'e.g. "SteppedWindow(keep=2000, high=8000)", or your own by its module, "mine.windows:Last(3)"',
        option="strategy",
        value=text,
    )


class StrategyType(click.ParamType[Any]):
    """A click type for strategies by text."""

    name = "strategy"

    def __init__(self, parse: Callable[[str], Any] = parse_strategy) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The strategy; a usage error where it is not understood."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except InvalidOption as error:
            self.fail(str(error), param, ctx)


def parse_contender(text: str) -> Any:
    """What may be compared: a strategy, or a `Recall(tokens=...)`. Raises InvalidOption."""
    made = _made(text, {**KNOWN, "Recall": Recall})
    if not isinstance(made, Recall):
        check_strategy(made)
    return made
