"""Suites that every store and every strategy passes."""
