"""What becomes of a request whose tool results outgrow the budget: what gives way, in which order, in which form."""
