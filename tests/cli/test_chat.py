"""The chat: by lines, and in a terminal of its own."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.conftest import Run
from sash import Conversation
from sash.cli.common import printable
from sash.cli.replies import _Drawn, _markdown, finished_blocks
from sash.simulator import Clock, Overloaded, Simulator

pexpect = pytest.importorskip("pexpect")


def _chat(run: Run, database: Path, *lines: str, id: str = "a") -> str:
    result = run("chat", database, "--simulator", "--id", id, typed="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 0
    return result.output


def _turns(database: Path, id: str = "a") -> list[Any]:
    with Conversation(database, id=id) as chat:
        return chat.history()


def test_replies_are_streamed_recorded_and_priced(run: Run, tmp_path: Path) -> None:
    """Each line is answered; a status line tells prompt tokens, budget, cached share and dollars."""
    output = _chat(run, tmp_path / "a.db", "My order is 1138.", "What is my order?")
    assert output.count("My order is 1138.") == 2
    assert "prompt tokens of 32,000" in output
    assert "% cached · " in output
    assert "in all" in output
    assert [turn.role for turn in _turns(tmp_path / "a.db")] == ["user", "assistant"] * 2


def test_a_later_chat_goes_on(run: Run, tmp_path: Path) -> None:
    """The same id in another process run remembers."""
    _chat(run, tmp_path / "a.db", "My order is 1138.")
    assert "1138" in _chat(run, tmp_path / "a.db", "What is my order?")


def test_plan_sends_nothing(run: Run, tmp_path: Path) -> None:
    """/plan explains the next request and records nothing."""
    output = _chat(run, tmp_path / "a.db", "Hello there.", "/plan Tell me more", "/plan")
    assert "If you now said 'Tell me more'" in output
    assert "If you now said 'Go on.'" in output
    assert len(_turns(tmp_path / "a.db")) == 2


def test_a_memory_can_be_chosen(run: Run, tmp_path: Path) -> None:
    """--memory is in force, and /plan says what it comes to; an unknown one is refused before there is a file."""
    database = tmp_path / "a.db"
    output = run("chat", database, "--simulator", "--memory", "all", typed="Hello there.\n/plan\n").output
    assert "prompt tokens of 100,000" in output and "Memory 'all': the newest 50,000 tokens" in output
    refused = run("chat", tmp_path / "b.db", "--simulator", "--memory", "much")
    assert refused.exit_code == 2 and "balanced" in refused.output and not (tmp_path / "b.db").exists()


def test_files_go_with_the_next_message(run: Run, tmp_path: Path) -> None:
    """/attach PATH, several times; shown with kind and size; they go with one message, and with /plan's."""
    for name, text in (("one.md", "Crate 9 is blue."), ("two.md", "Crate 8 is green.")):
        (tmp_path / name).write_text(text)
    output = _chat(run, tmp_path / "a.db", "/attach", f"/attach {tmp_path}/one.md", f'/attach "{tmp_path}/two.md"',
                   "/plan", "What colour is crate 9?", "And crate 8?", "/attach")  # fmt: skip
    assert output.count("Nothing is attached: /attach PATH") == 2
    assert output.count("one.md: text/plain, about ") == 2 and output.count("two.md: ") == 1
    assert "blue" in output.partition("What colour")[2] or "Crate 9 is blue" in output
    first, _, second, _ = _turns(tmp_path / "a.db")
    assert [block["type"] for block in first.blocks] == ["document", "document", "text"]
    assert [block["type"] for block in second.blocks] == ["text"]


def test_what_cannot_be_attached_keeps_the_chat(run: Run, tmp_path: Path) -> None:
    """A missing or unreadable file is said at once; what is attached stays until it went, or /detach takes it back."""
    (tmp_path / "notes.md").write_text("Crate 9 is blue. " * 40)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04\0\0")
    lines = ["/attach nowhere.png", f"/attach {tmp_path}/a.zip", f"/attach {tmp_path}/notes.md", "/detach", "Hello."]
    output = _chat(run, tmp_path / "a.db", *lines)
    assert "nowhere.png does not exist" in output and "save a document as PDF" in output
    assert [block["type"] for block in _turns(tmp_path / "a.db")[0].blocks] == ["text"]
    typed = f"/attach {tmp_path}/notes.md\nToo large.\n/attach\n"
    small = run("chat", tmp_path / "b.db", "--simulator", "--id", "a", "--budget", "60", typed=typed)
    assert "needs about" in small.output and small.output.count("notes.md: text/plain") == 2


def test_usage_and_history(run: Run, tmp_path: Path) -> None:
    """/usage sums the requests; /history lists the newest turns with their numbers."""
    output = _chat(run, tmp_path / "a.db", "First thing.", "Second thing.", "/usage", "/history 2", "/help")
    assert "2 requests" in output
    assert "3 user" in output
    assert "1 user" not in output
    assert "/retry" in output


def test_fork_leaves_the_original(run: Run, tmp_path: Path) -> None:
    """After /fork N what is said goes to a copy that ends with reply N."""
    output = _chat(run, tmp_path / "a.db", "One.", "Two.", "/fork 2", "Three.")
    fork = output.partition("now in the fork ")[2].partition(";")[0]
    assert len(_turns(tmp_path / "a.db")) == 4
    assert [turn.text for turn in _turns(tmp_path / "a.db", fork) if turn.role == "user"] == ["One.", "Three."]


def test_pin_keeps_an_exchange(run: Run, tmp_path: Path) -> None:
    """/pin N keeps the exchange of turn N in the requests that have cut it off."""
    lines = ["The code is 4907.", "/pin 1", "Note.", "Another.", "And one.", "And two.", "What is the code?"]
    typed = "".join(f"{line}\n" for line in lines)
    chosen = ("--id", "a", "--strategy", "SlidingWindow(turns=2)")
    result = run("chat", tmp_path / "a.db", "--simulator", *chosen, typed=typed)
    assert "4907" in result.output.rpartition("prompt tokens")[0].rpartition("in all")[2]
    with Conversation(tmp_path / "a.db", id="a") as chat:
        assert [turn.seq for turn in chat.request(6).turns] == [1, 2, 9, 10, 11]


def test_wrong_commands_are_told_and_the_chat_goes_on(run: Run, tmp_path: Path) -> None:
    """An unknown command, a wrong number and nothing to retry are one line each; the chat goes on."""
    output = _chat(run, tmp_path / "a.db", "/dance", "/history x", "/pin 99", "/retry", "Hello.")
    assert output.count("error: ") == 4
    assert len(_turns(tmp_path / "a.db")) == 2


def test_quit_stops_reading(run: Run, tmp_path: Path) -> None:
    """Nothing after /quit is said."""
    _chat(run, tmp_path / "a.db", "/quit", "Hello.")
    assert _turns(tmp_path / "a.db") == []


def test_a_failed_send_is_told_and_retried(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key the chat talks to the API; when that is overloaded it goes on, and /retry sends the recorded turn."""
    sim = Simulator(thinking=False, clock=Clock(wall=True))
    sim.fail_next(Overloaded(should_retry=False))
    with sim.serve() as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        result = run("chat", tmp_path / "a.db", "--id", "a", typed="The code is 4907.\n/retry\n")
    assert "/retry sends it again" in result.output
    assert [turn.state for turn in _turns(tmp_path / "a.db")] == ["answered", "answered"]


def test_without_a_key_both_remedies_are_named(run: Run, tmp_path: Path) -> None:
    """No key and no --simulator: one line that names both remedies, exit code 1, and no database is made."""
    result = run("chat", tmp_path / "a.db", typed="Hello.\n")
    assert result.exit_code == 1
    assert "ANTHROPIC_API_KEY" in result.stderr
    assert "--simulator" in result.stderr
    assert not (tmp_path / "a.db").exists()


def test_keep_beyond_the_budget_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    """Settings that contradict each other end with exit code 2."""
    assert run("chat", tmp_path / "a.db", "--simulator", "--budget", 100, "--keep", 200).exit_code == 2


def test_a_message_may_have_several_lines(run: Run, tmp_path: Path) -> None:
    """A backslash at the end of a line joins the next one; so does all between three quotation marks."""
    _chat(run, tmp_path / "a.db", "One,\\", "two.", '"""', "Three,", "/help", "", 'four."""', "Five.")
    said = [turn.text for turn in _turns(tmp_path / "a.db") if turn.role == "user"]
    assert said == ["One,\ntwo.", "Three,\n/help\n\nfour.", "Five."]


def test_a_message_cut_off_by_the_end_of_input_is_not_said(run: Run, tmp_path: Path) -> None:
    """Where the input ends within a message, the chat ends, and nothing of it was sent."""
    _chat(run, tmp_path / "a.db", '"""', "Half a")
    assert _turns(tmp_path / "a.db") == []


def test_model_and_system_hold_from_the_next_message_on(run: Run, tmp_path: Path) -> None:
    """/model and /system say what is in force; with a value they change it, for /plan and all that is said then."""
    lines = ["/model", "/system", "Hello.", "/model claude-opus-5-5", "/system Speak like a sailor.", "/plan", "Ahoy."]
    last = ("/model claude-sonet-5-5", "/model claude-abacus-9", "/model claude-opus-5-5", "Bye.")
    output = _chat(run, tmp_path / "a.db", *lines, "/model", "/system", *last)
    assert "claude-abacus-9 is not known: " in output and "dollars are unknown" in output
    assert output.startswith("claude-sonnet-5-5\nnone\n")
    assert "claude-opus-5-5\nSpeak like a sailor.\n" in output
    assert "error: " in output and "claude-sonnet-5-5" in output.partition("error: ")[2]
    with Conversation(tmp_path / "a.db", id="a") as chat:
        bodies = [chat.request(number).body for number in (1, 2, 3)]
    assert [body["model"] for body in bodies] == ["claude-sonnet-5-5", "claude-opus-5-5", "claude-opus-5-5"]
    assert ["sailor" in str(body.get("system")) for body in bodies] == [False, True, True]


def test_a_question_can_be_edited(run: Run, tmp_path: Path) -> None:
    """/edit says something else in the place of a question, the newest or the one named; what was said is kept."""
    lines = ["/edit 1 No.", "One.", "Two.", "/edit 1 First.", "/edit Again.", "/edit 1", "/usage"]
    output = _chat(run, tmp_path / "a.db", *lines)
    assert [turn.text for turn in _turns(tmp_path / "a.db") if turn.role == "user"] == ["Again."]
    assert output.count("error: ") == 2 and "/edit N TEXT" in output
    assert "4 requests: " in output


def test_what_was_said_is_recalled(run: Run, tmp_path: Path) -> None:
    """/recall finds turns by words and says why; nothing found is said in words."""
    output = _chat(
        run, tmp_path / "a.db", "The mill has 2,400 slates.", "/recall slates", "/recall submarine", "/recall"
    )
    assert "   1 user, " in output and "words: slates" in output
    assert "Nothing was said about that." in output and "/recall TEXT" in output


def test_a_chat_is_exported(run: Run, tmp_path: Path) -> None:
    """/export writes what `sash export` writes, or a page; it overwrites nothing and names what it cannot do."""
    names = [tmp_path / name for name in ("a.json", "a.html", "a.json", "a.txt")]
    output = _chat(run, tmp_path / "a.db", "Hello.", *(f"/export {name}" for name in names))
    assert (tmp_path / "a.json").read_text() == run("export", tmp_path / "a.db", "a").output
    assert "<html" in (tmp_path / "a.html").read_text() and "Hello." in (tmp_path / "a.html").read_text()
    assert "is there already" in output and ".md, .html" in output


MARKDOWN = """# Cakes

There are **two**:

- walnut
- plum

```python
bake(9)
```

| cake | eggs |
|---|---|
| plum | 4 |

End of\x1b[2J it."""


@pytest.mark.parametrize("size", [1, 7, len(MARKDOWN)])
def test_markdown_is_drawn_in_a_terminal(size: int) -> None:
    """However a reply is cut into pieces, what stands there in the end is its Markdown, drawn once and in order."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=60, height=10, color_system=None)
    drawn = _Drawn(console)
    for at in range(0, len(MARKDOWN), size):
        drawn.add(MARKDOWN[at : at + size])
    drawn.end()
    whole = io.StringIO()
    Console(file=whole, force_terminal=True, width=60, color_system=None).print(_markdown(printable(MARKDOWN)))
    assert [line for line in written.getvalue().split("\n") if line.strip()] == [
        line for line in whole.getvalue().split("\n") if line.strip()
    ]


@settings(max_examples=50)
@given(st.text("ab \n`#->*|1.", max_size=60), st.integers(1, 9))
def test_pieces_of_markdown_lose_nothing(text: str, size: int) -> None:
    """Blocks that are finished and the one that grows are the text, however it comes."""
    finished, growing = "", ""
    for at in range(0, len(text), size):
        done, growing = finished_blocks(growing + text[at : at + size])
        finished += done
    assert finished + growing == text


# ---- in a terminal ----------------------------------------------------------------------------------


STANDS_STILL = """
import sys, time
from sash.cli import main
replies, common = sys.modules["sash.cli.replies"], sys.modules["sash.cli.common"]
pieces = stops = 0

class Plain(replies._Plain):
    def add(self, text):
        global pieces
        super().add(text)
        pieces += 1

class Clock(common.Clock):
    def wait(self, seconds):
        global stops
        if pieces and not stops:
            stops += 1
            print("(stands still)", flush=True)
            time.sleep(3_600)

replies._Plain, common.Clock = Plain, Clock
main()
"""
"""`sash` on a simulator that stands still in the middle of its first reply, until Ctrl-C; all else takes no time."""


def _heed_ctrl_c() -> None:
    """Whoever runs the tests may ignore it, as `nohup` does, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def terminal(tmp_path: Path, program: list[str], term: str) -> Iterator[Any]:
    """A chat on the simulator in a pseudo-terminal; long sentences about a wheel have been said before."""
    with Conversation(tmp_path / "a.db", id="a") as chat:
        told = [f"Number {n}: {'the wheel turns in the water and the water turns the wheel ' * 6}" for n in range(3)]
        chat.extend({"role": role, "content": text} for text in told for role in ("user", "assistant"))
    child = pexpect.spawn(
        sys.executable,
        [*program, "chat", str(tmp_path / "a.db"), "--simulator", "--id", "a"],
        encoding="utf-8",
        timeout=600,
        dimensions=(40, 200),
        env={**os.environ, "TERM": term},
        preexec_fn=_heed_ctrl_c,
    )
    child.expect("you> ")
    yield child
    child.close(force=True)


@pytest.fixture
def term() -> str:
    """What kind of terminal it is: one that moves no cursor, so that what is shown is what was printed."""
    return "dumb"


@pytest.fixture
def program() -> list[str]:
    """What Python runs as `sash`."""
    return ["-m", "sash"]


def _until(terminal: Any, press: Callable[[], None], pattern: str) -> None:
    """Press a key until it is seen to work: one pressed just before readline listens is lost, to people too."""
    for _ in range(200):
        press()
        if terminal.expect([pattern, pexpect.TIMEOUT], timeout=3) == 0:
            return
    pytest.fail(f"{pattern!r} never came")


def _leave(terminal: Any) -> None:
    terminal.sendline("/quit")
    terminal.expect("Kept")
    terminal.expect(pexpect.EOF)


def test_terminal_chat(terminal: Any, tmp_path: Path) -> None:
    """A typed question is answered and the next prompt comes; there Ctrl-C says how to leave, and Ctrl-D leaves."""
    terminal.sendline("My order is 1138.")
    terminal.expect("Understood")
    terminal.expect("you> ")
    terminal.sendline("What is my order?")
    terminal.expect("From our conversation: My order is 1138.")
    terminal.expect("you> ")
    _until(terminal, terminal.sendintr, "Ctrl-D or /quit leaves")
    terminal.expect("you> ")
    _until(terminal, terminal.sendeof, "Kept")
    terminal.expect(pexpect.EOF)
    assert [turn.state for turn in _turns(tmp_path / "a.db")[6:]] == ["answered"] * 4


@pytest.mark.parametrize("term", ["xterm"])
def test_lines_are_pasted_called_back_and_changed(terminal: Any, tmp_path: Path) -> None:
    """What is pasted is one message; the arrow keys call back what was said in this conversation before; /edit puts
    the old words on the line."""
    terminal.send("\x1b[200~Slates:\n- **2,400** new\x1b[201~\r")
    terminal.expect("this reply.*you> ")
    terminal.send("/edit\r")
    terminal.expect("you> .*new")
    terminal.send(", 9 old\r")
    terminal.expect("this reply.*you> ")
    terminal.send("\x1b[A" * 4)
    terminal.expect("Number 2: the wheel turns")
    terminal.send("\r")
    terminal.expect("this reply.*you> ")
    _leave(terminal)
    said = [turn.text for turn in _turns(tmp_path / "a.db")[6:] if turn.role == "user"]
    assert said[0] == "Slates:\n- **2,400** new, 9 old" and said[1].startswith("Number 2: the wheel turns")


@pytest.mark.parametrize("program", [["-c", STANDS_STILL]], ids=["stands still"])
def test_ctrl_c_during_a_reply_keeps_the_chat(terminal: Any, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a reply records what had come as interrupted, and the next line is answered."""
    terminal.sendline("What turns the wheel?")
    terminal.expect("From our")
    terminal.expect("stands still")
    terminal.sendintr()
    terminal.expect("Stopped; what had come is recorded")
    terminal.expect("you> ")
    terminal.sendline("That will do.")
    terminal.expect("this reply")
    terminal.expect("you> ")
    _leave(terminal)
    turns = _turns(tmp_path / "a.db")[6:]
    assert [turn.state for turn in turns] == ["answered", "interrupted", "answered", "answered"]
    assert turns[1].text.startswith("From our")
