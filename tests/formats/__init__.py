"""Tests of the parsers of foreign conversation files."""
