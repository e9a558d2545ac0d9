"""Summaries: facts that must be kept, prompts, guards."""
