"""What a tool result is still worth: what of it was used since, what replaced it, how likely it is needed again."""
