"""Pictures to vectors: pretrained networks, what runs them, and the cache of what was embedded."""
