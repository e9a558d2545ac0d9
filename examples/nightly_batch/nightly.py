"""Every night: use the summaries that came, and hand in what rests since, at half the price.

python examples/nightly_batch/nightly.py [DATABASE]        # from cron; --demo shows three nights on the simulator
"""

from __future__ import annotations

import sys
from typing import Any

from sash import Conversation, simulator
from sash.bulk.summaries import Summaries


def night(database: str, **settings: Any) -> str:
    """One night. What is handed in stands in the database first: this may die at any point and be run again."""
    with Summaries(database, limit=800, keep=2_000, least=1_000, idle=6 * 3600, **settings) as summaries:
        came = summaries.collect()
        sent = summaries.submit()
    return (
        f"{came.ready} summaries came for ${came.dollars:.4f} ({came.rejected} rejected, {came.failed} failed); "
        f"{sent.conversations} conversations handed in, {came.waiting + sent.conversations} waiting"
    )


def demo(database: str) -> None:
    """Three nights in a moment: the simulator's clock is turned."""
    claude = simulator.Simulator()
    client, clock = claude.client(), claude.clock
    for name in ("ann", "bob"):
        talk(database, name, client, clock.now)
    for number in (1, 2, 3):
        clock.advance(24 * 3600)
        print(f"Night {number}: {night(database, client=client, clock=clock.now)}")
    with Conversation(database, id="ann", client=client, clock=clock.now, budget=4_000, memory="full") as chat:
        reply = chat.send("Where does the key of the shop hang?")  # the summary stands ready: nobody waits
        print(reply.text)
        print(reply.plan.explain())


def talk(database: str, name: str, client: Any, clock: Any) -> None:
    with Conversation(database, id=name, client=client, clock=clock, budget=8_000, memory="full") as chat:
        chat.send("The key of the shop hangs behind the flour, on hook 17.")
        for day in range(12):
            chat.send(f"On day {day} I order {day * 7 + 2} walnut cakes. " + "They are for the market. " * 40)


if __name__ == "__main__":
    if "--demo" in sys.argv:
        demo("nightly.db")
    else:
        print(night(sys.argv[1] if len(sys.argv) > 1 else "chats.db"))
