"""Summaries: which facts must be kept, what a summariser is asked, whether its answer will do, how it is sent.

Pure: turns and answers come in as values, sizes as a function; verdicts and blocks go out. Making the request, storing
the summary and choosing the moment is others' work: `sash.flows`. It knows no model, no clock and no request.
"""

from sash.summaries.facts import Fact, facts_of, instructions_of
from sash.summaries.guard import GuardVerdict, judge, replaced_by
from sash.summaries.layout import render
from sash.summaries.pieces import split
from sash.summaries.prompts import PROMPT_VERSION, SummaryPrompt, ask, ask_warm

__all__ = [
    "PROMPT_VERSION",
    "Fact",
    "GuardVerdict",
    "SummaryPrompt",
    "ask",
    "ask_warm",
    "facts_of",
    "instructions_of",
    "judge",
    "render",
    "replaced_by",
    "split",
]
