"""One file says how to serve: every table takes effect, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sash.cli import main
from sash.errors import InvalidOption
from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy
from sash.planning.routing import Fallback
from sash.serve.config import read_config
from sash.serve.settings import AccessToken, ServeSettings

WHOLE = """\
limits = { requests = 50, input_tokens = 30_000 }
retries = true

[conversation]
model = "claude-opus-5-5"
budget = 20_000
memory = "lean"
max_tokens = 1_000
thinking = { type = "adaptive" }

[server]
stall_seconds = 5

[[ceilings]]
dollars = 0.5
per = "user"

[[ceilings]]
tokens = 1_000_000
period = "month"

[breaker]
pause = 3

[memo]
ttl = 60

[meter]
spike = 3

[fallback]
models = ["claude-sonnet-5-5"]

[[keys]]
name = "main"
env = "KEY_OF_TESTS"

[[keys]]
name = "spare"
secret = "sk-spare"

[pool]
rest = 5

[[tokens]]
token = "correct-horse-battery"
namespace = "acme"
"""


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read a config of this text."""
    monkeypatch.setenv("KEY_OF_TESTS", "sk-main")

    def of(text: str) -> dict[str, Any]:
        path = tmp_path / "sash.toml"
        path.write_text(text, "utf-8")
        return read_config(path)

    return of


def test_every_table_is_a_setting(read: Any) -> None:
    """What the file says is what the library's own values say."""
    found = ServeSettings(**read(WHOLE))
    pool = found.options.pop("keys")
    assert [(key.name, key.secret) for key in pool.keys] == [("main", "sk-main"), ("spare", "sk-spare")]
    assert (pool.rest, found.model, found.budget, found.memory) == (5, "claude-opus-5-5", 20_000, "lean")
    assert found.tokens == (AccessToken(token="correct-horse-battery", namespace="acme"),)
    assert found.stall_seconds == 5
    assert found.options == {
        "limits": Limits(requests=50, input_tokens=30_000),
        "retries": True,
        "breaker": BreakerPolicy(pause=3),
        "memo": MemoPolicy(ttl=60),
        "meter": Alerts(spike=3),
        "fallback": Fallback(models=("claude-sonnet-5-5",)),
        "ceilings": [Ceiling(dollars=0.5, per="user"), Ceiling(tokens=1_000_000, period="month")],
        "max_tokens": 1_000,
        "thinking": {"type": "adaptive"},
    }
    assert "sk-" not in repr(found)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[memo]\n\nttl = 0\n", 3, "seconds above 0"),
        ("[breaker]\npause = 3\nshares = 2\n", 3, "did you mean 'share'"),
        ("[memos]\n", 1, "did you mean 'memo'"),
        ("[[ceilings]]\ndollars = 1\n\n[[ceilings]]\nper = 'users'\ndollars = 1", 5, "'user'"),
        ("[[ceilings]]\nper = 'user'", 1, "of dollars, of tokens"),
        ("limits = 'huge'", 1, "huge"),
        ("\n\nlimits = { request = 5 }", 3, "did you mean 'requests'"),
        ("[limits]\nrequests = 'many'", 2, "requests"),
        ("[conversation]\nbudget = 10\nkeep = 20", 3, "keep"),
        ("[conversation]\nthinking = { type = 'deep' }", 2, "thinking"),
        ("[conversation]\nsystem = 'x'", 2, "whoever begins"),
        ("[conversation]\nmodel = 'claude-sonet-5-5'", 2, "claude-sonnet-5-5"),
        ("[conversation]\nmemo = true", 2, "table of its own"),
        ("[server]\nport = 1", 2, "no setting 'port'"),
        ("[server]\ngrace = -1", 2, "above 0"),
        ("[[tokens]]\ntoken = 'short'", 2, "at least 16"),
        ("[[tokens]]\nnamespace = 'a'", 1, "one of token and env"),
        ("[[keys]]\nname = 'a'\nenv = 'NO_SUCH_VARIABLE'", 3, "NO_SUCH_VARIABLE"),
        ("[keys]\nname = 'a'", 1, "[[keys]]"),
        ("[pool]\nrest = 1", 1, "needs keys"),
        ("[fallback]\nmodels = [1]", 2, "models"),
        ("[conversation]\nstop_sequences = [\n  '[memo]',\n  'ttl = 0',\n]\n[memo]\nttl = 0", 7, "seconds above 0"),
        ('x = """\n[memo]\nttl = 1\n"""\n', 1, "no table 'x'"),
        ("[memo\n", 1, "line 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read: Any, text: str, line: int, said: str) -> None:
    """Names, kinds, values and contradictions: all are found when the file is read."""
    with pytest.raises(InvalidOption) as caught:
        read(text)
    assert f"line {line}" in str(caught.value) and said in str(caught.value)


def test_a_server_does_not_start_on_a_wrong_file(tmp_path: Path) -> None:
    """The command says what is wrong, and makes no database."""
    path = tmp_path / "sash.toml"
    path.write_text("[memo]\nttl = 0\n")
    found = CliRunner().invoke(main, ["serve", str(tmp_path / "new.db"), "--config", str(path), "--simulator"])
    assert found.exit_code != 0 and "line 2" in found.output + str(found.exception)
    assert not (tmp_path / "new.db").exists()
