"""Tests of sash.claude."""
