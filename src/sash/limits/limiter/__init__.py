"""The rate limiter: a request waits for its turn before it is sent, rather than being refused after."""
