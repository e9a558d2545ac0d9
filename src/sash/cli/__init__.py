"""The command line: `sash chat | show | search | usage | summaries | summarise | count | check | replay | ...`.

Each command is a module here; all of them end in the library's public objects. Errors of sash are one red
line on stderr and exit code 1 (2 for wrong usage), never a traceback.
"""

from __future__ import annotations

import click

from sash.cli.chat import chat
from sash.cli.check import check
from sash.cli.common import SashGroup
from sash.cli.copy import copy
from sash.cli.count import count
from sash.cli.delete import delete
from sash.cli.demo import demo
from sash.cli.doctor import doctor
from sash.cli.look import search, show, usage
from sash.cli.memory import memory
from sash.cli.move import export, import_
from sash.cli.profile import profile
from sash.cli.prune import prune
from sash.cli.replay import replay
from sash.cli.row_security import row_security
from sash.cli.serve import serve
from sash.cli.simulate import simulate
from sash.cli.summaries import resummarise, summaries
from sash.cli.summarise import summarise
from sash.cli.version import show_version
from sash.cli.worker import worker

EPILOG = """Exit codes: 0 done; 1 an error, or something was found wrong; 2 wrong usage; 130 stopped by Ctrl-C;
141 the reader of the output left. Environment: SASH_DATABASE (where no DATABASE is named), ANTHROPIC_API_KEY,
NO_COLOR."""


@click.group(cls=SashGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version, help="Show versions and exit."
)
@click.option(
    "--namespace",
    default="",
    envvar="SASH_NAMESPACE",
    help="The tenant whose conversations are meant.",
    show_envvar=True,
)
def main(namespace: str) -> None:
    """A memory for Claude chatbots: every turn kept, every request within its budget, legal and cheap."""
    del namespace  # the commands read it from the context


_COMMANDS = (
    chat, serve, show, search, usage, summaries, summarise, resummarise, memory, profile, count, check, replay, export,
    import_, copy, delete, prune, row_security, simulate, demo, doctor, worker,
)  # fmt: skip
for command in _COMMANDS:
    main.add_command(command)
