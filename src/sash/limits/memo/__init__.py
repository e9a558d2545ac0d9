"""The memo: a request that was answered before is answered from memory."""
