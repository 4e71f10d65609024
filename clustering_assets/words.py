"""Lines, numbers, lists and lengths of time as people say them."""

from collections.abc import Sequence
from datetime import date


def one_line(text: str) -> str:
    """Text on one line, without what cannot be printed, such as the escape codes that a terminal obeys."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as "1 video" or "2,000 videos"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_or_several(number: int, one: str, several: str) -> str:
    """`one` alone, or the number with `several`: "another cluster", "3 other clusters"."""
    return one if number == 1 else f"{number:,} {several}"


def ordinal(number: int) -> str:
    """A place in a row: "1st", "12th", "23rd"."""
    ending = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def listed(parts: Sequence[str]) -> str:
    """At least one thing as a list: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def with_article(word: str) -> str:
    """A word with "a" or "an" before it, by its first letter."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def period(first: date, last: date) -> str:
    """Two days and those between as people say them: "14 May 2024", "14 and 15 May 2024", "30 April to 2 May 2024"."""
    link = "and" if (last - first).days == 1 else "to"
    until = f"{last.day} {last:%B %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return until if first.day == last.day else f"{first.day} {link} {until}"
    return f"{first.day} {first:{'%B' if first.year == last.year else '%B %Y'}} {link} {until}"


def duration(seconds: float) -> str:
    """Seconds as people say them: "4.2 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def roughly(seconds: float) -> str:
    """Seconds as people say what they only estimate: "10 s", "4 minutes", "2 hours"."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return (
        counted(round(seconds / 60), "minute") if seconds < 5400 else counted(round(seconds / 3600), "hour")
    )


def pace(done: int, seconds: float, unit: str = "") -> str:
    """How fast items are done: "55 images/s", "2.5/s", or "4.0 s each" below one in a second."""
    rate = done / max(seconds, 1e-9)
    if 0 < rate < 1:
        return f"{duration(1 / rate)} each"
    of = f" {unit}" if unit else ""
    return f"{rate:,.1f}{of}/s" if rate < 9.95 else f"{rate:,.0f}{of}/s"


def standing(done: int, total: int | None, unit: str, seconds: float) -> str:
    """Where a piece of work stands: "5,056 of 9,998 images, 55/s, 1 min 30 s left".

    Args:
        done: Items done so far.
        total: Number of items; None when it is not known.
        unit: What an item is, in the plural.
        seconds: How long it has been under way.
    """
    parts = [f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}", pace(done, seconds)]
    if total and 0 < done < total:
        parts.append(f"{duration(seconds / done * (total - done))} left")
    return ", ".join(parts)
