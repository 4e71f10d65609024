"""Sample pictures and sample music, generated from a seed."""
