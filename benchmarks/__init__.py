"""Runs that print a table and JSON; their results are committed with the command that made them."""
