"""Numbers of things in words."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as "1 video" or "2,000 videos"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
