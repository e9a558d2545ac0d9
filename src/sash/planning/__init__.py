"""Pure decisions: what the next request holds, where its cache markers stand, and why. Values in, a plan out."""
