"""A command line to call, and a database with a conversation in it."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sash import Conversation
from sash.cli import main
from sash.simulator import Simulator

Run = Callable[..., Result]
RunPlain = Callable[..., bytes]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test may reach Claude, whatever the environment or the home directory hold."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def run() -> Run:
    """Call `sash` with arguments, and lines typed to it; SystemExit aside, exceptions are the test's failure."""

    def call(*arguments: object, typed: str = "") -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def run_plain(monkeypatch: pytest.MonkeyPatch) -> RunPlain:
    """Call `sash` with arguments where stdout takes only ASCII; what was written."""

    def call(*arguments: object) -> bytes:
        written = io.BytesIO()
        plain = io.TextIOWrapper(written, encoding="ascii")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", plain)
            main([str(argument) for argument in arguments], standalone_mode=False)
        plain.flush()
        return written.getvalue()

    return call


@pytest.fixture(scope="session")
def mill(empty_record: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the conversation "mill": three exchanges about a mill, said on the simulator."""
    path = tmp_path_factory.mktemp("mill") / "chats.db"
    shutil.copy(empty_record, path)
    with Conversation(path, id="mill", system="You are a builder.", client=Simulator(thinking=False).client()) as chat:
        chat.send("The roof needs 2,400 slates.")
        chat.send("The mason [Lacasse] wants 18,450 euros.")
        chat.send("How many slates does the roof need?")
        chat.describe(title="The mill house")
    return path


@pytest.fixture
def database(mill: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(mill, tmp_path))
