"""Other libraries that keep a chatbot's history, run over the same conversations as sash and judged by one judge."""
