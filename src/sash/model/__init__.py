"""Values, frozen and validated when built: what everything else speaks in. No I/O, no SDK, no clock."""
