"""From a question to its recorded reply: load, plan, count, attach, send, and who answers."""
