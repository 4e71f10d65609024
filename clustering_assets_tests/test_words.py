"""Numbers, lists and lengths of time in words."""

from datetime import date

import pytest

from clustering_assets.words import (
    counted,
    duration,
    listed,
    one_or_several,
    ordinal,
    pace,
    period,
    standing,
    with_article,
)


def test_numbers_agree_with_what_they_count():
    assert (counted(1, "video"), counted(2000, "video"), counted(0, "file")) == (
        "1 video",
        "2,000 videos",
        "0 files",
    )
    assert one_or_several(1, "another", "others") == "another"
    assert one_or_several(3, "another", "others") == "3 others"


def test_places_in_a_row():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


def test_lists_and_articles():
    assert [listed("abc"[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert (with_article("upbeat"), with_article("calm")) == ("an upbeat", "a calm")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (4.24, "4.2 s"),
        (59.96, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_lengths_of_time_read_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (0, 3, "0.0 images/s"),
        (2, 8, "4.0 s each"),
        (1, 90, "1 min 30 s each"),
        (5, 2, "2.5 images/s"),
        (999, 100, "10 images/s"),
        (20_000, 10, "2,000 images/s"),
    ],
)
def test_slow_work_is_told_by_the_item_and_not_as_none_in_a_second(done, seconds, said):
    assert pace(done, seconds, "images") == said


def test_what_is_left_is_told_while_it_can_be_known():
    assert standing(2_500, 10_000, "images", 25) == "2,500 of 10,000 images, 100/s, 1 min 15 s left"
    assert standing(10_000, 10_000, "images", 100) == "10,000 of 10,000 images, 100/s"
    assert standing(0, 10, "images", 1) == "0 of 10 images, 0.0/s"
    assert standing(70, None, "files", 2) == "70 files, 35/s"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ((2024, 5, 14), (2024, 5, 14), "14 May 2024"),
        ((2024, 5, 14), (2024, 5, 16), "14 to 16 May 2024"),
        ((2024, 5, 14), (2024, 5, 15), "14 and 15 May 2024"),
        ((2023, 12, 31), (2024, 1, 1), "31 December 2023 and 1 January 2024"),
        ((2024, 4, 30), (2024, 5, 2), "30 April to 2 May 2024"),
        ((2023, 12, 30), (2024, 1, 2), "30 December 2023 to 2 January 2024"),
        ((2023, 5, 14), (2024, 5, 14), "14 May 2023 to 14 May 2024"),
    ],
)
def test_a_period_is_told_without_saying_anything_twice(first, last, words):
    assert period(date(*first), date(*last)) == words
