"""`python -m sash.cli`, where the `sash` command is not on the path."""

from sash.cli import main

main(prog_name="sash")
