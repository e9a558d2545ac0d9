"""Tests of the demo conversation."""
