"""Sound: decoding, loudness, the soundtrack of a video and its encoding."""
