"""What is done with the past: branches, additions, instructions, repair, search."""
