"""Turns that the API would refuse as they stand, from elsewhere or left half done: what is wrong, and its repair."""
