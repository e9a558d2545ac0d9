"""Take the pictures of README and guides anew: the demo in a terminal, and its record in `sash serve`.

    python scripts/screenshots.py       # needs Chromium: the one on PATH, or what SASH_CHROMIUM names

Some minutes: the demo runs whole, on the simulator.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLUMNS = 106
FIRST, LAST = "what it cost, and what could still be answered", "said first"
"""The lines of the demo between which its picture is taken."""
PORT = 8651
STYLE = "font:14px/1.25 DejaVu Sans Mono,monospace;margin:0;padding:14px 18px;width:fit-content"


def demo(database: Path) -> str:
    """What `sash demo` prints to a terminal, with its colours; its record goes to `database`."""
    terminal = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "sash", "demo", "--db", str(database)]
    return subprocess.run(command, env=terminal, check=True, capture_output=True, text=True).stdout


def result(printed: str) -> str:
    """The table and the strip at its end, as a page."""
    lines = re.sub(r"\x1b\[\?\d+[hl]|\x1b\[\d*[A-LN-Z]|\r", "", printed).splitlines()
    begin = max(n for n, line in enumerate(lines) if FIRST in line)
    end = next(n for n in range(begin, len(lines)) if LAST in lines[n])
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print("$ sash demo")
    console.print(Text.from_ansi("\n".join(lines[begin : end + 1])))
    drawn = console.export_html(inline_styles=True, code_format="{code}")
    return f'<body style="margin:0"><pre style="{STYLE}">{drawn}</pre></body>'


@contextmanager
def served(database: Path) -> Iterator[str]:
    """The address of `sash serve` over the record."""
    command = [sys.executable, "-m", "sash", "serve", str(database), "--simulator", "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        while "http" not in server.stdout.readline():
            pass
        try:
            yield f"http://127.0.0.1:{PORT}"
        finally:
            server.terminate()


def main() -> None:
    """Take them all."""
    chromium = os.environ.get("SASH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        database = Path(folder) / "demo.db"
        printed = demo(database)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 960, "height": 400}, device_scale_factor=1.5)
        page.set_content(result(printed))
        page.locator("pre").first.screenshot(path=IMAGES / "demo.png")
        with served(database) as url:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(url)
            page.locator("main tbody a, main li a, main article a").first.click()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=IMAGES / "demo-record.png")
        browser.close()


if __name__ == "__main__":
    main()
