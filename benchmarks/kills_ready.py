"""Imported by the server that forks the clients of `benchmarks.kills`, before the first of them."""

from benchmarks.kills_client import warm_up

warm_up()
