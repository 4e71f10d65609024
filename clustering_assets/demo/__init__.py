"""Sample pictures and music, generated."""
