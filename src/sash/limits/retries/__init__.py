"""Retries: the SDK makes them, this says where it should not."""
