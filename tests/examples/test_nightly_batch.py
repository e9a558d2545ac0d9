"""The nightly batch: handed in one night, used the next, at hand when the user comes back."""

from __future__ import annotations

import pytest

from examples.conftest import Load


def test_what_rests_is_summarised_over_night(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Each conversation is handed in once; the next night its summary is there, and the next question goes with it."""
    load("nightly_batch/nightly.py").demo("nightly.db")
    first, second, third, *rest = capsys.readouterr().out.splitlines()
    assert "2 conversations handed in" in first
    assert "2 summaries came" in second and "0 conversations handed in" in second
    assert "0 summaries came" in third and "0 waiting" in third
    assert "hook 17" in rest[0] and "a summary of the turns up to" in "\n".join(rest)
