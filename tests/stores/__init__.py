"""Tests of sash.stores."""
