"""The Streamlit page, run without a browser."""

from __future__ import annotations

import os

import pytest

from examples.conftest import EXAMPLES, Load

testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is not installed: 400 MB with what it needs")


@pytest.mark.filterwarnings("default")
def test_the_page_remembers_and_explains(load: Load) -> None:
    """What was said is answered, shown again on the next run of the page, and the side tells cost and plan."""
    del load  # it has taken the key away
    os.environ["SASH_DATABASE"] = "page.db"
    page = testing.AppTest.from_file(str(EXAMPLES / "streamlit_page" / "page.py"), default_timeout=120).run()
    page.chat_input[0].set_value("My order is 4711.").run()
    page.chat_input[0].set_value("What is my order?").run()
    assert not page.exception
    assert "4711" in page.chat_message[3].markdown[0].value
    assert page.sidebar.metric[0].value.startswith("$0.00")
    assert "tokens" in page.sidebar.markdown[-1].value
    page.run()
    assert [message.name for message in page.chat_message] == ["user", "assistant", "user", "assistant"]
