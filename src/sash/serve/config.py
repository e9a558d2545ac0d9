"""One TOML file that says how to serve: limits, ceilings, breaker, keys, memo, fallback, tokens. Checked as it is read.

    [conversation]              # as `Conversation` takes them: model, memory, budget, keep, max_tokens, thinking, ...
    [server]                    # as `ServeSettings` takes them: largest_body, body_seconds, stall_seconds,
                                # quiet_seconds, grace
    limits = "build"            # a tier, true, or a table: requests, input_tokens, output_tokens, concurrency, burst
    [[ceilings]]                # dollars, tokens, per, period
    [breaker] [memo] [retries]  # as BreakerPolicy, MemoPolicy, RetryPolicy take them; or = true
    [meter] [fallback]          # as Alerts, Fallback
    [[keys]]                    # name, env or secret, workspace, organization, limits; [pool]: most, rest
    [[tokens]]                  # env or token, namespace

What is wrong is an InvalidOption that names file and line. `env` names a variable that holds the secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sash.claude.keys import Key, KeyPool
from sash.conversation.session import Session
from sash.errors import CallerError, InvalidOption
from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy, RetryPolicy
from sash.model.fitting import nearest
from sash.planning.routing import Fallback
from sash.serve.settings import AccessToken, ServeSettings

GUARDS: Mapping[str, Callable[..., Any]] = {
    "limits": Limits,
    "breaker": BreakerPolicy,
    "memo": MemoPolicy,
    "retries": RetryPolicy,
    "meter": Alerts,
    "fallback": Fallback,
}
"""What one table each makes; `true` stands for its defaults, a text for a tier of limits."""
SERVER = ("largest_body", "body_seconds", "stall_seconds", "quiet_seconds", "grace")
CHOSEN = ("model", "memory", "budget")
"""Settings of conversations that callers may choose otherwise."""
NOT_HERE = ("store", "client", "id", "namespace", "user", "create", "clock", "busy", "system", "tools")
"""What a conversation is told by whoever begins it."""
TABLES = ("conversation", "server", "ceilings", "keys", "pool", "tokens", *GUARDS)

Place = tuple[str | int, ...]


class Wrong(Exception):
    """What is wrong, and where. Never leaves this module."""

    def __init__(self, place: Place, said: str) -> None:
        super().__init__(said)
        self.place, self.said = place, said


def read_config(path: str | Path) -> dict[str, Any]:
    """The settings of a file, as `ServeSettings` takes them. Raises InvalidOption that names file and line."""
    try:
        text = Path(path).read_text("utf-8")
        return _settings(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption(f"{path} cannot be read: {error}", option="config", value=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidOption(f"{path} is no TOML: {error}", option="config", value=str(path)) from error
    except Wrong as wrong:
        said = f"{path}, line {line_of(text, wrong.place)}: {wrong.said}"
        raise InvalidOption(said, option="config", value=str(path)) from None


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in TABLES:
            raise Wrong((name,), f"there is no table {name!r}; {nearest(name, TABLES)}")
    options = {name: _guard(name, given[name]) for name in GUARDS if name in given}
    if "ceilings" in given:
        options["ceilings"] = [_made(Ceiling, *one) for one in _tables(given, "ceilings")]
    if "keys" in given:
        options["keys"] = _pool(given)
    elif "pool" in given:
        raise Wrong(("pool",), "a pool needs keys: [[keys]]")
    conversation = _conversation(given, options)
    options |= {name: value for name, value in conversation.items() if name not in CHOSEN}
    server, tokens = _server(given), [_token(*one) for one in _tables(given, "tokens")]
    chosen = {name: conversation[name] for name in CHOSEN if name in conversation}
    return {**server, **chosen, "options": options, "tokens": tuple(tokens)}


def _guard(name: str, value: Any) -> Any:
    if isinstance(value, bool) and name != "fallback":
        return value
    if isinstance(value, str) and name == "limits":
        _checked((name,), lambda: Session(limits=value))  # type: ignore[arg-type]
        return value
    return _made(GUARDS[name], (name,), _table((name,), value))


def _pool(given: Mapping[str, Any]) -> KeyPool:
    keys = [_made(Key, place, _secret(place, table, "secret")) for place, table in _tables(given, "keys")]
    return _made(KeyPool, ("pool",), {"keys": keys, **_table(("pool",), given.get("pool", {}))})  # type: ignore[no-any-return]


def _token(place: Place, table: Mapping[str, Any]) -> AccessToken:
    made: AccessToken = _made(AccessToken, place, _secret(place, table, "token"))
    return made


def _conversation(given: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    place: Place = ("conversation",)
    table = dict(_table(place, given.get("conversation", {})))
    for name in table:
        if name in NOT_HERE or name in GUARDS or name in ("ceilings", "keys"):
            remedy = "whoever begins a conversation says it" if name in NOT_HERE else "it has a table of its own"
            raise Wrong((*place, name), f"{name!r} cannot be set here: {remedy}")
    _checked(place, lambda: Session(client="simulator", **table))
    for name, value in options.items():
        _checked((name,), lambda name=name, value=value: Session(client="simulator", **{**table, name: value}))  # type: ignore[misc]
    return table


def _server(given: Mapping[str, Any]) -> dict[str, Any]:
    place: Place = ("server",)
    table = dict(_table(place, given.get("server", {})))
    for name, value in table.items():
        if name not in SERVER:
            raise Wrong((*place, name), f"there is no setting {name!r}; {nearest(name, SERVER)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise Wrong((*place, name), f"{name}={value!r}: give a number above 0")
    _checked(place, lambda: ServeSettings(**table))
    return table


def _tables(given: Mapping[str, Any], name: str) -> list[tuple[Place, Mapping[str, Any]]]:
    found = given.get(name, [])
    if not isinstance(found, list):
        raise Wrong((name,), f"{name} are several: write [[{name}]]")
    return [((name, at), _table((name, at), one)) for at, one in enumerate(found)]


def _table(place: Place, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Wrong(place, f"{place[0]}={value!r:.60}: give a table")
    return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}


def _secret(place: Place, table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The table with its secret, taken from the environment where it says so."""
    variable = table.get("env")
    if (variable is None) == (name not in table):
        raise Wrong(place, f"give one of {name} and env (the name of a variable that holds it)")
    if variable is None:
        return dict(table)
    if not isinstance(variable, str) or not os.environ.get(variable):
        raise Wrong((*place, "env"), f"there is no variable {variable!r:.60} in the environment")
    return {name: os.environ[variable], **{key: value for key, value in table.items() if key != "env"}}


def _made(kind: Callable[..., Any], place: Place, table: Mapping[str, Any]) -> Any:
    return _checked(place, lambda: kind(**table))


def _checked(place: Place, make: Callable[[], Any]) -> Any:
    """What `make` makes; what it refuses is wrong at the setting that it names."""
    try:
        return make()
    except CallerError as error:
        raise Wrong((*place, _named(error)), str(error)) from None
    except TypeError as error:
        raise Wrong(place, str(error).partition(" ")[2]) from None


def _named(error: CallerError) -> str:
    """The setting that an error is about."""
    said = _SETTING.match(str(error))
    return said[1] if said else str(error.facts.get("option") or ("model" if "model" in error.facts else ""))


_SETTING = re.compile(r"(?:\w+\()?([a-z_]+)(?:\[.*?\])?[=:(]")
"""What an error begins with that names a setting: `name=value: ...`, or `Class(name=value): ...`."""
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def line_of(text: str, place: Place) -> int:
    """The line where a setting stands, or the table that should hold it."""
    lines = _lines(text)
    return next((lines[place[:upto]] for upto in range(len(place), 0, -1) if place[:upto] in lines), 1)


def _lines(text: str) -> dict[Place, int]:
    """The line of each table and of each setting that has a line of its own."""
    found: dict[Place, int] = {}
    table: Place = ()
    several, inside = Counter[str](), False
    for number, line in enumerate(text.split("\n"), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if inside:
            pass
        elif header:
            name = header[2]
            table = (name, several[name]) if header[1] == "[[" else (name,)
            several[name] += 1
            found.setdefault(table, number)
            found.setdefault((name,), number)
        elif key:
            found.setdefault((*table, key[1]), number)
        inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found
