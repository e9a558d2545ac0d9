"""Tests of sash.flows."""
