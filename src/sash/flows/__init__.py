"""The order of events, as generators that yield I/O steps. No I/O, no clock, no threads: see `conversation.drivers`."""
