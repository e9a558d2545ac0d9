"""Calls of tools and their results: the run, and what a crash left open."""
