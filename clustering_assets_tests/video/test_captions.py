"""What is written on a video: captions, title cards and their fonts."""

import logging

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import ImageFont

from clustering_assets.video.captions import caption_of, filled_in, make_caption
from clustering_assets.video.colour import split
from clustering_assets.video.lettering import ELLIPSIS, broken, cleaned, filled, font, shortened
from clustering_assets.video.titles import title_canvas, typeset

FRAMES = [(640, 360), (360, 640), (360, 360), (64, 64), (1920, 1080)]


def plain(size: tuple[int, int], luma: int) -> np.ndarray:
    frame = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
    frame[: size[1]] = luma
    return frame


def captioned(size: tuple[int, int], luma: int, text: str = "Summer") -> np.ndarray:
    frame = plain(size, luma)
    caption = make_caption(text, size)
    assert caption is not None
    caption.write(frame)
    return frame


@pytest.mark.parametrize("size", FRAMES)
@pytest.mark.parametrize("luma", [235, 126, 16], ids=["white", "grey", "black"])
def test_letters_stand_out_from_any_picture(size, luma):
    y = split(captioned(size, luma)).y.astype(float)
    caption = make_caption("Summer", size)
    assert caption is not None
    inside = y[caption.top : caption.top + len(caption.luma), caption.left :][:, : caption.luma.shape[1]]
    drawn = (caption.kept < 0.02) & (caption.luma > 200)  # where letters hide the picture
    assert drawn.any()
    around = np.quantile(inside[~drawn], 0.1)
    assert inside[drawn].mean() - around > 80


@pytest.mark.parametrize("size", FRAMES)
def test_a_caption_keeps_clear_of_the_edges(size):
    y = split(captioned(size, 16, "Summer " * 40)).y
    rows, columns = np.nonzero(y > 120)
    assert columns.min() >= 0.04 * size[0]
    assert columns.max() < 0.96 * size[0]
    assert rows.max() < (0.9 if size[1] > size[0] else 0.97) * size[1]


@pytest.mark.parametrize("size", FRAMES)
@pytest.mark.parametrize("ground", ["white", "noise", "stripes"])
def test_what_lies_around_letters_leaves_them_a_contrast_that_can_be_read(size, ground):
    """4.5 to 1 is what WCAG 2.2 asks for text of any size (1.4.3)."""
    frame = plain(size, 235)
    rng = np.random.default_rng(0)
    if ground == "noise":
        frame[: size[1]] = rng.integers(16, 236, (size[1], size[0]))
    if ground == "stripes":
        frame[: size[1] : 2] = 16
    caption = make_caption("Summer", size)
    assert caption is not None
    caption.write(frame)
    y = split(frame).y[caption.top :, caption.left :][: len(caption.luma), : caption.luma.shape[1]]
    letters = (caption.kept < 0.02) & (caption.luma > 200)
    stroke = max(1, round(0.005 * min(size)))
    beside = cv2.dilate(letters.astype(np.uint8), np.ones((2 * stroke + 1, 2 * stroke + 1), np.uint8)) > 0
    around = beside & (caption.kept > 0.2)  # where no part of a letter is drawn any more

    def luminance(luma):
        value = np.clip((luma.astype(float) - 16) / 219, 0, 1)
        return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)

    contrast = (luminance(y[letters]).mean() + 0.05) / (luminance(y[around]).mean() + 0.05)
    assert contrast >= 4.5


@pytest.mark.parametrize("size", [(1080, 1920), (360, 640)])
def test_a_caption_of_an_upright_video_keeps_clear_of_what_phones_put_over_it(size):
    y = split(captioned(size, 16, "Summer " * 40)).y
    rows, columns = np.nonzero(y > 60)
    assert rows.max() < 0.82 * size[1] and columns.max() < 0.87 * size[0]


def test_a_caption_that_is_not_seen_changes_nothing():
    frame = plain((640, 360), 90)
    caption = make_caption("Summer", (640, 360))
    assert caption is not None
    caption.write(frame, 0.0)
    assert np.array_equal(frame, plain((640, 360), 90))


def test_a_caption_without_printable_letters_is_none():
    assert make_caption(" \n\t\x00", (640, 360)) is None


@pytest.mark.parametrize(
    "text", ["Été à Åre", "Лето", "Καλοκαίρι", "夏の思い出", "قطط", "🐈 cats", "a" * 500]
)
def test_names_in_any_script_are_written_if_a_font_has_it(text):
    if not cleaned(text):
        assert make_caption(text, (640, 360)) is None, "nothing rather than boxes"
        return
    assert not np.array_equal(captioned((640, 360), 60, text), plain((640, 360), 60))
    card = title_canvas(np.full((90, 160, 3), 90, np.uint8), (160, 90), text, "2 pictures", motion=False)
    assert card.luma.std() > 1


def test_a_long_name_is_cut_off_with_an_ellipsis():
    name = "a very long name of a cluster that goes on and on"
    letters = font(name, 20)
    cut = shortened(name, letters, 200)
    assert cut.endswith(ELLIPSIS)
    assert name.startswith(cut[:-1])
    assert letters.getlength(cut) <= 200
    assert shortened("short", letters, 200) == "short"


def test_a_long_title_is_broken_into_rows_about_equally_long():
    title = "Summer by the sea, and what we did there on the days when it rained"
    letters = font(title, 20)
    rows = broken(title, letters, 300, 9)
    lengths = [letters.getlength(row) for row in rows]
    assert " ".join(rows) == title
    assert max(lengths) <= 300
    assert min(lengths) > 0.7 * max(lengths)
    assert broken("short", letters, 300, 1) == ["short"]
    assert broken("", letters, 300, 1) == []
    assert broken(title, letters, 300, 2) is None


def test_a_word_that_is_longer_than_a_row_is_broken():
    letters = font("a", 20)
    rows = broken("a" * 90, letters, 200, 9)
    assert "".join(rows) == "a" * 90
    assert all(letters.getlength(row) <= 200 for row in rows)


def test_all_rows_of_a_title_are_of_one_font_and_only_its_end_may_be_missing():
    title = "Überraschung am Meer – ein ganz außergewöhnlich langer Name für eine Gruppe von Bildern"
    rows, letters, size = typeset(title, 60, 580)
    assert " ".join(rows) == title
    assert letters == font(title, round(size))
    endless, letters, _ = typeset(60 * "word ", 60, 580)
    assert all(not row.endswith(ELLIPSIS) for row in endless[:-1])
    assert endless[-1].endswith(ELLIPSIS)
    assert letters.getlength(endless[-1]) <= 580


@pytest.mark.parametrize("text", ["a" * 20_000, "Summer by the sea " * 2_000])
def test_of_an_endless_title_no_more_is_measured_than_can_be_shown(text):
    class Counting(ImageFont.FreeTypeFont):
        def __init__(self):
            self.measured = 0

        def getlength(self, text, *_, **__):
            self.measured += len(text)
            return letters.getlength(text)

    letters, counting = font(text, 40), Counting()
    rows = filled(text, counting, 1500, 5, cut=True)
    assert len(rows) == 5
    assert text.startswith(rows[0])
    assert broken(text, counting, 1500, 2) is None
    assert counting.measured < len(text)


def test_a_name_is_made_one_line_of_printable_letters():
    assert cleaned(" two\nlines\x07 and\t tabs ") == "two lines and tabs"


@pytest.mark.parametrize(
    ("first", "second"), [("ü", "ö"), ("É", "Å"), ("ß", "ñ"), ("–", "“"), ("Л", "Ф"), ("ق", "ط")]
)
def test_letters_beyond_english_are_not_boxes(first, second):
    def drawn(text: str) -> np.ndarray:
        mask = font(text, 30).getmask(text)
        return np.asarray(mask, np.uint8).reshape(mask.size[::-1])

    assert drawn(first).shape != drawn(second).shape or not np.array_equal(drawn(first), drawn(second))


def test_letters_that_no_font_has_are_left_out_and_told_once(caplog):
    nowhere = "\U00012000"  # cuneiform
    if cleaned(nowhere):
        pytest.skip("a font of this machine has it")
    caplog.set_level(logging.WARNING, "clustering_assets.video")
    assert cleaned(f"sea {nowhere} sun {nowhere}") == "sea sun"
    assert cleaned(f"sea {nowhere} sun {nowhere}") == "sea sun"
    (record,) = [record for record in caplog.records if "sea" in record.message]
    assert nowhere in record.message


def test_a_long_title_stays_on_its_card():
    rgb = np.full((90, 160, 3), 90, np.uint8)
    card = title_canvas(rgb, (640, 360), "word " * 200, "2 pictures", motion=False)
    beside = title_canvas(rgb, (640, 360), "word", "", motion=False)
    edge = np.s_[:, :180]
    assert np.abs(card.luma[edge].astype(int) - beside.luma[edge]).max() <= 3


def test_captions_come_with_the_first_picture_and_stay(pictures, show, small):
    images = pictures((400, 300), (400, 300))
    plain_show = show(images, small.model_copy(update={"titles": True}))
    with_captions = show(images, small.model_copy(update={"titles": True, "captions": "auto"}))
    title, first, last = with_captions.timeline.slides
    joint = with_captions.timeline.transitions[0]

    def added(index: int) -> float:
        one, other = with_captions.planes(index), plain_show.planes(index)
        return float(np.abs(one.astype(int) - other).mean())

    assert added(joint.start - 1) == 0
    assert title.path is None
    assert 0 < added(joint.start) < added(joint.stop - 1) <= added(first.middle) * 1.5
    assert added(with_captions.timeline.transitions[1].start + 1) > 0
    assert added(last.middle) > 0


def test_the_digest_changes_with_captions_and_then_with_the_title(pictures, show, small):
    images = pictures((60, 40))
    captions = small.model_copy(update={"captions": "auto"})
    assert show(images).digest != show(images, captions).digest
    assert show(images, captions).digest != show(images, captions, title="Other").digest
    assert show(images).digest == show(images, title="Other").digest


def test_a_caption_says_only_what_is_true_of_each_picture(pictures, show, small):
    images = pictures((60, 40), (60, 40)).assign(
        cluster_hint="blue", taken_at=[pd.Timestamp("2023-05-03 10:00"), pd.NaT]
    )
    captions = small.model_copy(update={"captions": "auto"})
    found = show(images, captions, title="blue").storyboard.captions
    assert set(found) == {"3 May 2023", ""}
    assert set(show(images, captions, title="My name").storyboard.captions) == {"My name"}


@pytest.mark.parametrize(
    ("captions", "said"),
    [
        ("none", ""),
        ("name", "Sea"),
        ("date", "3 May 2023"),
        ("place", "Rome"),
        ("folder", "trip"),
        ("{name} - {date}", "Sea - 3 May 2023"),
        ("In {place}, {date}", "In Rome, 3 May 2023"),
        ("auto", "Sea"),
    ],
)
def test_a_caption_says_what_the_setting_asks_for(captions, said):
    table = pd.DataFrame(
        {
            "path": ["trip/a.jpg"],
            "cluster_name": ["Sea"],
            "cluster_hint": ["blue"],
            "taken_at": [pd.Timestamp("2023-05-03 10:00")],
            "place": ["Rome"],
        }
    )
    (row,) = table.itertuples()
    assert caption_of(row, "Sea", captions) == said


@pytest.mark.parametrize(
    ("template", "name", "date", "said"),
    [
        ("{name} - {date}", "Sea", "", "Sea"),
        ("{name} - {date}", "", "May", "May"),
        ("{name} ({date})!", "Sea", "", "Sea"),
        ("{name} ({date})!", "Sea", "May", "Sea (May)!"),
        ("On {date}", "", "", ""),
    ],
)
def test_what_is_not_known_leaves_no_gap_in_a_caption(template, name, date, said):
    assert filled_in(template, {"name": name, "date": date}) == said


def test_the_folder_of_a_picture_is_its_caption_where_nothing_else_is_known():
    row = pd.DataFrame({"path": ["trips/Rome/a.jpg"], "cluster_hint": ["grey"]})
    (named,) = row.itertuples()
    assert caption_of(named, "grey") == "Rome"
