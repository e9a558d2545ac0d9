"""The only place that talks to the anthropic SDK (the simulator's client apart): requests out, answers in."""
