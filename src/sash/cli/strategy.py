"""Strategies by text, as their repr shows them: `SteppedWindow(keep=2000, high=8000)`.

Only the strategies of `sash.planning.strategies` and literals are understood; nothing is evaluated.
"""

from __future__ import annotations

import ast
from typing import Any

import click

from sash.errors import InvalidOption
from sash.planning import strategies
from sash.planning.situation import Strategy

KNOWN: dict[str, Any] = {
    name: found for name in strategies.__all__ if hasattr(found := getattr(strategies, name), "decide")
}


def label(strategy: str) -> str:
    """The repr of a strategy, bare where it has its defaults: `SteppedWindow`, `SteppedWindow(keep=2000)`."""
    return strategy.removesuffix("()")


def parse_strategy(text: str) -> Strategy:
    """The strategy that `text` spells. Raises InvalidOption with what would be understood."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _not_understood(text) from None
    if not isinstance(tree, ast.Name | ast.Call):
        raise _not_understood(text)
    made: Strategy = _value_of(tree, text)
    return made


def _value_of(node: ast.expr, text: str) -> Any:
    """A strategy, or a literal argument of one."""
    if isinstance(node, ast.Name):
        return _called(node.id, (), {}, text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and all(k.arg for k in node.keywords):
        named = {str(k.arg): _value_of(k.value, text) for k in node.keywords}
        return _called(node.func.id, [_value_of(arg, text) for arg in node.args], named, text)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise _not_understood(text) from None


def _called(name: str, values: Any, named: dict[str, Any], text: str) -> Any:
    if name not in KNOWN:
        raise _not_understood(text)
    try:
        return KNOWN[name](*values, **named)
    except TypeError as error:
        raise InvalidOption(f"strategy {text!r}: {error}", option="strategy", value=text) from error


def _not_understood(text: str) -> InvalidOption:
    return InvalidOption(
        f"strategy {text!r} is not understood; write one of {', '.join(KNOWN)} with plain numbers, "
        'e.g. "SteppedWindow(keep=2000, high=8000)"',
        option="strategy",
        value=text,
    )


class StrategyType(click.ParamType[Strategy]):
    """A click type for strategies by text."""

    name = "strategy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Strategy:
        """The strategy; a usage error where it is not understood."""
        if not isinstance(value, str):
            made: Strategy = value
            return made
        try:
            return parse_strategy(value)
        except InvalidOption as error:
            self.fail(str(error), param, ctx)
