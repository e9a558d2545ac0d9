"""A small conversation with two facts at its beginning, and questions about them."""

from __future__ import annotations

from sash.formats import ImportedConversation, ImportedTurn, Question
from sash.formats.values import text_block

TOLD = {2: "My locker code is 7731. It rained.", 5: "The cat of Oda is named Biscuit."}


def small(id: str = "small", exchanges: int = 14, questions: bool = True) -> ImportedConversation:
    """So many exchanges, a minute apart."""
    turns = []
    for number in range(exchanges):
        said = TOLD.get(number, f"The weather of day {number} was mild, and then it rained again for hours and hours.")
        for role, text in (("user", said), ("assistant", f"I see, day {number} is noted; thank you for telling me.")):
            id_of = f"{role[0]}{number}"
            turns.append(ImportedTurn(role=role, content=[text_block(text)], at=1.7e9 + 60 * number, id=id_of))  # type: ignore[arg-type]
    asked = (
        Question(text="Which locker code was named?", answer="7731", evidence=("u2",), category="single-hop"),
        Question(text="What is the name of the cat?", answer="Biscuit", evidence=("u5",), category="names"),
    )
    return ImportedConversation(id=id, turns=tuple(turns), questions=asked if questions else ())
