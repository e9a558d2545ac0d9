"""The circuit breaker: while a model is down, requests to it fail at once."""
