"""The plugin that is installed with sash: its fixtures, what they assert, and what it leaves alone."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sash.errors import InvalidOption
from sash.simulator import Overloaded
from sash.simulator.testing import SimulatedClaude

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide" / "testing-your-bot.md"
ASK = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "My order is 4711."}]}


def test_the_guides_bot_passes_its_tests(pytester: pytest.Pytester) -> None:
    """The bot and the tests of the guide, written to files as they stand there, pass under pytest with the plugin."""
    files = dict(re.findall(r'^```python title="(\S+)"\n(.*?)^```', GUIDE.read_text(), re.DOTALL | re.MULTILINE))
    assert set(files) == {"bot.py", "test_bot.py"}
    for name, content in files.items():
        pytester.path.joinpath(name).write_text(content)
    told = pytester.runpytest_inprocess("-p", "pytest_sash", "-p", "no:xdist", "-p", "no:hypothesispytest")
    told.assert_outcomes(passed=len(re.findall(r"^def test_", files["test_bot.py"], re.MULTILINE)))


def test_it_stays_out_of_the_way(pytester: pytest.Pytester) -> None:
    """Without its fixtures nothing of sash is imported, and a fixture of the same name goes before the plugin's."""
    pytester.makepyfile(
        """
        import sys
        import pytest

        @pytest.fixture
        def claude():
            return "mine"

        def test_alone(claude):
            assert claude == "mine"
            assert [name for name in sys.modules if name.split(".")[0] in ("sash", "anthropic")] == []
        """
    )
    told = pytester.runpytest_subprocess("-p", "pytest_sash")
    told.assert_outcomes(passed=1)


def test_pytest_finds_it_by_its_entry_point() -> None:
    """The package names the plugin to pytest by the module's own name, so that `-p` and the entry point are one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"pytest_sash": "pytest_sash"}
    assert "src/pytest_sash" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_assertions_say_what_went_wrong(request: pytest.FixtureRequest) -> None:
    """Each assertion passes where it holds, and names the request, the number or the reason where it does not."""
    claude = SimulatedClaude()
    request.addfinalizer(claude.close)
    with pytest.raises(AssertionError, match="no request came"):
        claude.assert_cached(at_least=0.1)
    with pytest.raises(AssertionError, match="0 came"):
        claude.assert_sent("4711")
    claude.fail_next(Overloaded())
    for _ in range(2):
        post(claude, ASK)
    claude.assert_legal()
    claude.assert_sent("4711")
    claude.assert_cost(below=1)
    claude.assert_cached(at_least=0)
    assert [one.status for one in claude.requests] == [529, 200]
    post(claude, {**ASK, "messages": []})
    for wrong, said in (
        (claude.assert_legal, "1 of 3 .*request 3: messages: at least one message"),
        (lambda: claude.assert_sent("4712", at=1), "request 2 does not hold '4712'"),
        (lambda: claude.assert_cost(below=0), r"dearest is request 2 with \$"),
        (lambda: claude.assert_cached(at_least=0.5), r"0.0% .*not 50.0% \(by request: 0%\)"),
    ):
        with pytest.raises(AssertionError, match=said):
            wrong()


def test_assertions_that_could_not_fail_are_refused(claude: SimulatedClaude) -> None:
    """What an assertion cannot hold a request against is an error that names the argument, never a green test."""
    post(claude, ASK)
    told: list[tuple[Callable[..., None], dict[str, Any], str]] = [
        *((claude.assert_sent, {"text": text}, "text=.*give some words") for text in (7, "", None)),
        *((claude.assert_cost, {"below": below}, "below=.*dollars") for below in ("1", None, math.nan)),
        *((claude.assert_cached, {"at_least": share}, "at_least=.*0 to 1") for share in (50, "1", -0.1)),
    ]
    for assertion, given, said in told:
        with pytest.raises(InvalidOption, match=said):
            assertion(**given)


def post(claude: SimulatedClaude, body: object) -> None:
    """A request over the socket, as a client in any language sends it."""
    sent = httpx2.post(f"{claude.url}/v1/messages", json=body, headers={"anthropic-version": "2026-10-21"})
    assert sent.headers["request-id"]
