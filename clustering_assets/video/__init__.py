"""Slideshows: timeline, framing, motion, transitions, soundtrack, encoding and checking."""
