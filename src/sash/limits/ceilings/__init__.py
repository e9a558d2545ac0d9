"""Spending ceilings: a request whose upper bound would pass one is not sent."""
