"""A script: what the simulator answers to what, and what goes wrong when, as rules in their order.

    rules:                                    # YAML (needs PyYAML); TOML and JSON say the same
      - text: where is my order               # in the newest text of the user, whatever the case
        call: {order_status: {order: 4711}}
      - result: out of stock                  # in the tool results that came
        reply: I am sorry, it is sold out.
      - regex: 'refund (\\d+) euros'
        reply: 'You asked for \\1 euros back.'
      - nth: 3                                # the third request (of those that fit the rest of the rule)
        fault: {rate_limited: {retry_after: 2}}

The first rule that fits a request decides; a request that fits none is answered by the simulator itself. A Python file
defines `script` (what `Simulator.script` takes), `prepare(simulator)`, or both.
"""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sash.errors import InvalidOption, MissingExtra
from sash.model.fitting import check_fit, hints_of, nearest
from sash.model.settings import settings
from sash.simulator import faults
from sash.simulator.faults import Fault
from sash.simulator.prompt import blocks_of, visible_messages
from sash.simulator.reading import newest, text_of
from sash.simulator.replies import Reply

Body = Mapping[str, Any]
Scripted = str | Sequence[Mapping[str, Any]] | Reply | None
"""One reply: text, content blocks, a `Reply`, or None for the simulator's own."""
Script = Callable[[Body], Scripted]
_GROUP = re.compile(r"\\(?:(\d+)|g<(\w+)>)")


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to do with requests that fit: all that is said of them must hold."""

    text: str | None = None
    """in the newest text of the user, whatever the case"""
    regex: str | None = None
    """found in the newest text of the user; its groups may stand in the reply and the call, as `\\1` or `\\g<name>`"""
    system: str | None = None
    """in the system prompt, whatever the case"""
    result: str | None = None
    """in the tool results of the newest message, whatever the case"""
    tool: str | None = None
    """the name of a tool on offer"""
    model: str | None = None
    """the model's id"""
    nth: int | Sequence[int] | None = None
    """which of the requests that fit the rest: 1 is the first"""
    times: int | None = None
    """how often the rule acts; None: always"""
    reply: str | Sequence[Mapping[str, Any]] | Reply | None = None
    """what is answered"""
    call: Mapping[str, Mapping[str, Any]] | None = None
    """tools to call, by name, with their input; after the reply's text, if there is one"""
    fault: Fault | None = None
    """what goes wrong"""

    def __post_init__(self) -> None:
        if self.reply is None and self.call is None and self.fault is None:
            raise InvalidOption("a rule needs something to do: reply=, call= or fault=", option="rule", value=self)
        blocks = isinstance(self.reply, list | tuple) and all(isinstance(block, Mapping) for block in self.reply)
        if not (blocks or isinstance(self.reply, str | Reply | None)):
            raise InvalidOption(f"reply={self.reply!r:.60}: give a text, a list of blocks or a Reply", option="reply")
        if self.call is not None and not isinstance(self.reply, str | None):
            raise InvalidOption("call= goes with a reply= of text; put the calls into its blocks", option="call")
        if self.fault is not None and not isinstance(self.fault, Fault):
            raise InvalidOption(f"fault={self.fault!r} is none of sash.simulator.faults", option="fault")
        for name, least in (("nth", min(self._numbers(), default=1)), ("times", self.times or 1)):
            if least < 1 or self.times == 0:
                raise InvalidOption(f"{name} counts from 1, not {getattr(self, name)!r}", option=name)
        self._check_groups()

    def _numbers(self) -> Sequence[int]:
        return () if self.nth is None else [self.nth] if isinstance(self.nth, int) else self.nth

    def _check_groups(self) -> None:
        try:
            pattern = re.compile(self.regex or "")
        except re.error as error:
            raise InvalidOption(f"regex={self.regex!r} is no pattern: {error}", option="regex") from error
        known = {*map(str, range(pattern.groups + 1)), *pattern.groupindex}
        said = json.dumps([self.reply if isinstance(self.reply, str) else "", self.call])
        for number, name in _GROUP.findall(said.replace("\\\\", "\\")) if self.regex is not None else ():
            if (number or name) not in known:
                raise InvalidOption(f"regex={self.regex!r} has no group {number or name!r}", option="regex")

    def fits(self, body: Body) -> bool:
        """Whether a request is one that the rule means, whatever its number."""
        asked, came = newest(visible_messages(body))
        system = "\n".join(map(text_of, blocks_of(body.get("system") or ())))
        results = "\n".join(text for _, text in came)
        within = ((self.text, asked), (self.system, system), (self.result, results))
        return (
            all(part is None or part.lower() in whole.lower() for part, whole in within)
            and (self.result is None or bool(came))
            and (self.regex is None or re.search(self.regex, asked) is not None)
            and (self.model is None or body.get("model") == self.model)
            and (self.tool is None or any(tool.get("name") == self.tool for tool in body.get("tools") or ()))
        )

    def answer(self, body: Body) -> Reply | None:
        """What it replies; None leaves it to the simulator."""
        if isinstance(self.reply, Reply) or (self.reply is None and self.call is None):
            return self.reply if isinstance(self.reply, Reply) else None
        match = re.search(self.regex, newest(visible_messages(body))[0]) if self.regex is not None else None
        calls = [
            {"type": "tool_use", "name": name, "input": _expanded(dict(given), match)}
            for name, given in (self.call or {}).items()
        ]
        said = [{"type": "text", "text": self.reply}] if isinstance(self.reply, str) else list(self.reply or ())
        return Reply(content=[*_expanded(said, match), *calls])


def _expanded(value: Any, match: re.Match[str] | None) -> Any:
    """A value with the groups of a match in the place of what names them."""
    if match is None:
        return value
    if isinstance(value, str):
        return _GROUP.sub(lambda group: match[int(group[1]) if group[1] else group[2]] or "", value)
    if isinstance(value, Mapping):
        return {name: _expanded(part, match) for name, part in value.items()}
    return [_expanded(part, match) for part in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Rules:
    """Rules in their order, and how often each was met."""

    rules: Sequence[Rule]
    _met: list[int] = field(default_factory=list)
    _acted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        wrong = next((rule for rule in self.rules if not isinstance(rule, Rule)), None)
        if wrong is not None:
            raise InvalidOption(f"{wrong!r:.60} is no Rule of sash.simulator", option="rules", value=wrong)
        self._met, self._acted = [0] * len(self.rules), [0] * len(self.rules)

    def choose(self, body: Body) -> Rule | None:
        """The rule for the next request: every one that it fits has been met once more, and the first may act."""
        chosen = None
        for at, rule in enumerate(self.rules):
            if not rule.fits(body):
                continue
            self._met[at] += 1
            numbers = rule._numbers()
            spent = rule.times is not None and self._acted[at] >= rule.times
            if chosen is None and not spent and (not numbers or self._met[at] in numbers):
                chosen = rule
                self._acted[at] += 1
        return chosen


def read_script(path: str | Path) -> Rules:
    """The rules of a YAML, TOML or JSON file. Raises InvalidOption that names file and rule, MissingExtra."""
    given = _loaded(Path(path))
    rules = given.get("rules") if isinstance(given, Mapping) else given
    if not isinstance(rules, list) or (isinstance(given, Mapping) and set(given) != {"rules"}):
        raise InvalidOption(f"{path}: give a list of rules, by the name `rules`", option="script", value=str(path))
    if not rules:
        raise InvalidOption(f"{path} holds no rule: give one, or no script", option="script", value=str(path))
    return Rules([_rule(one, f"{path}, rule {number}") for number, one in enumerate(rules, 1)])


def run_script(path: str | Path) -> tuple[Any, Callable[[Any], object]]:
    """What a Python file defines: `script` (None without one) and `prepare`. Raises InvalidOption."""
    if not Path(path).is_file():
        raise InvalidOption(f"{path} cannot be read: there is no such file", option="script", value=str(path))
    defined = runpy.run_path(str(path), run_name="sash_script")
    script, prepare = defined.get("script"), defined.get("prepare")
    if script is None and prepare is None:
        said = f"{path} defines neither `script` nor `prepare(simulator)`"
        raise InvalidOption(said, option="script", value=str(path))
    return script, prepare or (lambda _: None)


def _loaded(path: Path) -> Any:
    parse = _parser(path)
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOption(f"{path} cannot be read: {error}", option="script", value=str(path)) from error


def _parser(path: Path) -> Callable[[str], Any]:
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        return _yaml_parser()
    if kind in (".toml", ".json"):
        return tomllib.loads if kind == ".toml" else json.loads
    raise InvalidOption(f"{path}: a script ends in .yaml, .toml, .json or .py", option="script", value=str(path))


def _yaml_parser() -> Callable[[str], Any]:
    yaml = _load_yaml()

    def parse(text: str) -> Any:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(" ".join(str(error).split())) from error

    return parse


def _load_yaml() -> Any:
    try:
        import yaml  # noqa: PLC0415
    except ImportError as error:
        said = "scripts in YAML need PyYAML: pip install 'sash[yaml]'; TOML and JSON need nothing"
        raise MissingExtra(said, extra="yaml") from error
    return yaml


def _rule(given: Any, at: str) -> Rule:
    try:
        if not isinstance(given, Mapping):
            raise InvalidOption(f"{given!r:.60} is no rule: give what it fits and what it does", option="script")
        made = {str(name): value for name, value in given.items()}
        if "fault" in made:
            made["fault"] = fault_of(made["fault"])
        if isinstance(made.get("reply"), Mapping):
            made["reply"] = _reply(made["reply"])
        return Rule(**made)
    except InvalidOption as error:
        raise InvalidOption(f"{at}: {error}", option="script", value=at) from None


def _reply(given: Mapping[Any, Any]) -> Reply:
    known = hints_of(Reply)
    for name, value in given.items():
        if name not in known:
            raise InvalidOption(f"a reply has no field {name!r}; {nearest(str(name), known)}", option="reply")
        check_fit(f"reply.{name}", value, known[name])
    return Reply(**given)


_FAULTS: Mapping[str, Callable[..., Fault]] = {
    re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower(): kind
    for kind in vars(faults).values()
    if isinstance(kind, type) and issubclass(kind, Fault) and kind is not Fault
}
"""Every fault by the name that files know it by: `rate_limited` for `RateLimited`."""


def fault_of(given: Any) -> Fault:
    """A fault by its name, or by its name with its fields. Raises InvalidOption."""
    name, fields = next(iter(given.items())) if isinstance(given, Mapping) and len(given) == 1 else (given, None)
    if not isinstance(name, str) or name not in _FAULTS:
        raise InvalidOption(f"there is no fault {name!r:.60}; {nearest(str(name), _FAULTS)}", option="fault")
    if not isinstance(fields, Mapping | None):
        raise InvalidOption(f"fault {name}: give its fields by name, not {fields!r:.60}", option="fault")
    return _FAULTS[name](**(fields or {}))
