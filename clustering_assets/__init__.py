"""A folder of photos becomes clusters, and every cluster becomes a music video."""
