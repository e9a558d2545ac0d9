"""How far a job is, for people: a bar on the terminal, or whatever a caller makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sash.bulk.items import JobProgress

Tell = Callable[[JobProgress], Any]


@contextmanager
def shown(progress: bool | Tell, headline: str, total: int) -> Iterator[Tell]:
    """What to call with each step."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda _: None
    else:
        rich = _load_rich_progress()
        with rich.Progress() as bar:
            bar.console.print(headline)
            task = bar.add_task("asking", total=total)

            def tell(step: JobProgress) -> None:
                failed = f", {step.failed} failed" if step.failed else ""
                bar.update(task, completed=step.done, description=f"${step.dollars:.4f}{failed}")

            yield tell


def _load_rich_progress() -> Any:
    """The one place that imports rich here: only for the bar."""
    import rich.progress  # noqa: PLC0415

    return rich.progress
