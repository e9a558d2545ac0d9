"""One module for each peer, run in that peer's own environment: it imports the peer, `peer.py`, and nothing of sash."""
