"""sash: a memory for Claude chatbots."""
