"""The suite for a bot: it passes, and fails where the bot is broken."""

from __future__ import annotations

import re
import shutil

import pytest

from examples.conftest import EXAMPLES

pytest_plugins = ("pytester",)
ARGUMENTS = ("-p", "pytest_sash", "-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "with a broken bot"])
def test_the_suite_holds_its_bot(pytester: pytest.Pytester, broken: bool) -> None:
    """All its tests pass as it stands; without the tool and the care for failures, those for them fail."""
    for name in ("bot.py", "test_bot.py"):
        shutil.copy(EXAMPLES / "pytest_suite" / name, pytester.path)
    bot = pytester.path / "bot.py"
    tests = len(re.findall(r"^def test_", (pytester.path / "test_bot.py").read_text(), re.MULTILINE))
    if broken:
        text = bot.read_text().replace("except Unavailable", "except ZeroDivisionError")
        bot.write_text(text.replace("return self.orders[order]", 'return "unknown"'))
    told = pytester.runpytest_inprocess(*ARGUMENTS)
    told.assert_outcomes(passed=tests - 2 * broken, failed=2 * broken)
