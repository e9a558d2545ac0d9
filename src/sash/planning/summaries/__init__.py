"""When a summary pays, what making it costs, and what the API's own compaction leaves valid."""
