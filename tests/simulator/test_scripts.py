"""Scripts: rules decide what is answered to what, and what goes wrong when."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sash.errors import InvalidOption, MissingExtra
from sash.simulator import Overloaded, Reply, Rule, Rules, Simulator, read_script

from .samples import TOOL, assistant, body, call, post, result, user

RULES: list[dict[str, Any]] = [
    {"text": "WHERE is my order", "call": {"order_status": {"order": 4711}}, "reply": "Let me see."},
    {"result": "out of stock", "reply": "I am sorry, it is sold out."},
    {"regex": r"refund (\d+) (?P<coin>\w+)", "reply": r"You asked for \1 \g<coin> back.", "times": 1},
    {"tool": "order_status", "system": "harbour", "reply": [{"type": "text", "text": "Aye."}]},
    {"model": "claude-haiku-5-5", "reply": {"content": "Small talk.", "stop_reason": "max_tokens"}},
    {"text": "broken", "nth": [2, 3], "fault": {"rate_limited": {"retry_after": 2}}},
    {"text": "refuse", "fault": "refusal"},
]
YAML = r"""
rules:
  - {text: where IS my order, reply: Let me see., call: {order_status: {order: 4711}}}
  - regex: 'refund (\d+) (?P<coin>\w+)'
    reply: 'You asked for \1 \g<coin> back.'
    times: 1
"""
TOML = r"""
[[rules]]
text = "where is my order"
reply = "Let me see."
call.order_status.order = 4711
[[rules]]
regex = 'refund (\d+) (?P<coin>\w+)'
reply = 'You asked for \1 \g<coin> back.'
times = 1
"""
PYTHON = """
from sash.simulator import Overloaded

def script(body):
    return "From Python." if body["model"] == "claude-sonnet-5-5" else None

def prepare(simulator):
    simulator.fail_at(2, Overloaded())
"""


def following(tmp_path: Path, name: str, content: str) -> Simulator:
    """A simulator without thoughts that follows a file."""
    (tmp_path / name).write_text(content)
    sim = Simulator(thinking=False)
    sim.follow(tmp_path / name)
    return sim


def said(sim: Simulator, *messages: dict[str, Any], **fields: Any) -> Any:
    """What a request is answered with: texts and calls in order, or the status of an error."""
    status, reply = post(sim, body(*messages, **fields))
    if status != 200:
        return status
    return [block.get("text") or (block["name"], block["input"]) for block in reply["content"]]


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    """Each condition holds or the rule does not act; groups are put in; what fits none is answered as ever."""
    sim = following(tmp_path, "s.json", json.dumps(RULES))
    question = user("And where is my order?")
    calls = ["Let me see.", ("order_status", {"order": 4711})]
    assert said(sim, question, tools=[TOOL]) == calls
    answered = [question, assistant(call()), user(result(content="It is out of stock."))]
    assert said(sim, *answered, tools=[TOOL]) == ["I am sorry, it is sold out."]
    assert said(sim, user("Please refund 17 euros.")) == ["You asked for 17 euros back."]
    assert said(sim, user("Please refund 18 euros.")) == ["Understood. You said: Please refund 18 euros."]
    assert said(sim, user("Ahoy."), system="You keep a Harbour.", tools=[TOOL]) == ["Aye."]
    assert said(sim, user("Ahoy."), system="You keep a Harbour.") == ["Understood. You said: Ahoy."]
    assert post(sim, body(user("Hi."), model="claude-haiku-5-5"))[1]["stop_reason"] == "max_tokens"
    assert [said(sim, user("broken")) for _ in range(4)][1:3] == [429, 429]
    assert post(sim, body(user("Please refuse.")))[1]["stop_reason"] == "refusal"
    before = len(sim.log)
    assert post(sim, {"model": 5, "messages": "no list"})[0] == 400 and len(sim.log) == before + 1


@pytest.mark.parametrize(("name", "content"), [("s.yaml", YAML), ("s.toml", TOML), ("s.json", json.dumps(RULES))])
def test_every_format_says_the_same(tmp_path: Path, name: str, content: str) -> None:
    """A script in YAML, TOML or JSON gives the same replies."""
    sim = following(tmp_path, name, content)
    assert said(sim, user("where is my order"), tools=[TOOL]) == ["Let me see.", ("order_status", {"order": 4711})]
    assert said(sim, user("refund 3 dollars")) == ["You asked for 3 dollars back."]


def test_a_python_file_answers_and_prepares(tmp_path: Path) -> None:
    """`script` in a Python file is asked for each reply, `prepare` is given the simulator."""
    sim = following(tmp_path, "s.py", PYTHON)
    assert [said(sim) for _ in range(3)] == [["From Python."], 529, ["From Python."]]


def test_rules_in_python_take_faults_and_replies() -> None:
    """Rules made by hand act like those of a file, on streams, batches and faults planned by hand beside them."""
    sim = Simulator(thinking=False)
    sim.script(Rules([Rule(nth=1, fault=Overloaded()), Rule(reply=Reply(content="Two.", output_tokens=7))]))
    sim.fail_at(3, Overloaded())
    assert [said(sim) for _ in range(4)] == [529, ["Two."], 529, ["Two."]]
    assert sim.log[-1].usage is not None and sim.log[-1].usage.output == 7


WRONG: list[tuple[Any, str]] = [
    ({"rule": []}, "rules"),
    ([5], "rule 1"),
    ([], "holds no rule"),
    ([{"text": "a"}], "reply="),
    ([{"reply": "b"}, {"txt": "a", "reply": "b"}], "rule 2.*did you mean 'text'"),
    ([{"fault": "overload"}], "did you mean 'overloaded'"),
    ([{"fault": {"overloaded": {"after": 1}}}], "did you mean 'retry_after'"),
    ([{"fault": {"cut_stream": {"how": "softly"}}}], "'silent' or 'error' or 'lost'"),
    ([{"regex": "(", "reply": "x"}], "no pattern"),
    ([{"regex": "(a)", "reply": r"\2"}], "no group '2'"),
    ([{"nth": 0, "reply": "x"}], "counts from 1"),
    ([{"times": 0, "reply": "x"}], "counts from 1"),
    ([{"reply": 4}], "a text, a list of blocks"),
    ([{"reply": {"txt": "a"}}], "no field 'txt'"),
    ([{"reply": [{"type": "text", "text": "a"}], "call": {"b": {}}}], "call="),
    ([{"call": {"b": 3}}], "a dict"),
]


@pytest.mark.parametrize(("given", "named"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, given: Any, named: str) -> None:
    """A script that cannot be followed is refused whole, by file, rule and remedy, and the one before stays."""
    sim = Simulator(thinking=False)
    sim.script(["Before."])
    (tmp_path / "s.json").write_text(json.dumps(given))
    with pytest.raises(InvalidOption, match=f"s.json.*{named}"):
        sim.follow(tmp_path / "s.json")
    assert said(sim) == ["Before."]


@pytest.mark.parametrize(
    ("name", "content"), [("s.yaml", "a: [b"), ("s.toml", "a ="), ("s.json", "{"), ("s.txt", ""), ("s.py", "a = 1")]
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str) -> None:
    """A file that is no script of its kind is refused by its name, as is one that is not there."""
    with pytest.raises(InvalidOption, match=name):
        following(tmp_path, name, content)
    with pytest.raises(InvalidOption, match="gone"):
        Simulator().follow(tmp_path / f"gone{Path(name).suffix}")
    with pytest.raises(InvalidOption, match="list of replies"):
        Simulator().script("One text.")


def test_yaml_without_pyyaml_names_the_line_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML a script in YAML says how to get it, and that TOML needs nothing."""
    (tmp_path / "s.yaml").write_text(YAML)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra, match=r"sash\[yaml\].*TOML"):
        read_script(tmp_path / "s.yaml")
