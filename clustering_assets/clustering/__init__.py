"""Vectors to clusters: feature space, algorithms, quality, names, and identity across runs."""
