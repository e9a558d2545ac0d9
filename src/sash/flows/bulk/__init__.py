"""Many at once, as batches: one machine, and what is thin above it for questions and summaries."""
