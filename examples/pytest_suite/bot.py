"""A bot as somebody would write it: it takes orders, knows their state by a tool, and keeps to a ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash import Conversation
from sash.errors import CeilingReached, Unavailable
from sash.limits import Ceiling


class BakeryBot:
    """Answers a customer. `client` and further options are the conversation's: tests hand in the simulator."""

    def __init__(self, orders: Mapping[int, str], *, dollars: float = 0.50, **options: Any) -> None:
        self.orders = orders
        self.chat = Conversation(
            system="You are the help desk of a bakery.",
            max_tokens=500,
            ceilings=Ceiling(dollars=dollars, per="conversation", period="ever"),
            **options,
        )

    def order_status(self, order: int) -> str:
        """Tell where an order is.

        Args:
            order: its number
        """
        return self.orders[order]

    def answer(self, text: str) -> str:
        """What the customer reads."""
        try:
            if self.chat.history(limit=1) and self.chat.history(limit=1)[-1].state == "pending":
                self.chat.withdraw()  # what failed a moment ago was said again
            return self.chat.run(text, tools=[self.order_status]).text
        except Unavailable:
            return "Sorry, we are busy just now. Please try again in a minute."
        except CeilingReached:
            return "Please call us: 555-0147."
