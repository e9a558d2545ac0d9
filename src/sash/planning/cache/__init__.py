"""Where the prompt cache is written, what is expected of it, and why a bill turned out otherwise."""
