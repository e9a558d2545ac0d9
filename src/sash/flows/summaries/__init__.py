"""Making summaries, and having the API compact: what is sent in the place of turns that left the view."""
