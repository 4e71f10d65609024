"""Contact sheets and title cards."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.video.contact_sheet import contact_sheet
from clustering_assets.video.errors import VideoError
from clustering_assets.video.titles import describe


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_contact_sheet_is_a_small_picture_of_all_slides(pictures, show, small):
    settings = small.model_copy(update={"resolution": "640x360"})
    data = contact_sheet(show(pictures(*[(300, 200)] * 8), settings))
    assert len(data) < 50_000
    assert opened(data).format == "JPEG"
    assert opened(data).width > 700


def test_a_contact_sheet_gets_as_small_as_wanted(pictures, show):
    slideshow = show(pictures(*[(300, 200)] * 20))
    assert len(contact_sheet(slideshow, max_bytes=6_000)) <= 6_000


def test_a_tile_shows_what_the_video_shows(pictures, show, small):
    settings = small.model_copy(update={"resolution": "480x270"})
    slideshow = show(pictures((700, 400), (300, 500)), settings)
    for index, slide in enumerate(slideshow.timeline.slides):
        frame = Image.fromarray(slideshow.frame(slide.middle)).resize((240, 136), Image.Resampling.BOX)
        glance = slideshow.glance(index, 240)
        assert np.abs(np.asarray(frame, int) - glance).mean() < 4


def test_a_vanished_picture_is_left_out_of_the_sheet(pictures, show, tmp_path):
    slideshow = show(pictures((300, 200), (300, 200), (300, 200)))
    (tmp_path / "images" / "01.png").unlink()
    assert opened(contact_sheet(slideshow)).size == (2 * 192 + 12, 108 + 8)


def test_without_any_picture_there_is_no_sheet(pictures, show, tmp_path):
    slideshow = show(pictures((300, 200)))
    (tmp_path / "images" / "00.png").unlink()
    with pytest.raises(VideoError, match="00"):
        contact_sheet(slideshow)


@pytest.mark.parametrize(
    "title", ["Sea", "A very long name of a cluster, which needs two lines at the least", "Горы и море"]
)
def test_a_title_card_comes_first_and_has_something_written_on_it(pictures, show, small, title):
    settings = small.model_copy(update={"resolution": "320x180", "titles": True})
    titled = show(pictures((300, 200)), settings, title=title)
    assert titled.timeline.slides[0].path is None
    assert len(titled.timeline.slides) == 2
    middle = titled.frame(titled.timeline.slides[0].middle).mean(axis=2)
    written = middle > middle.mean() + 60
    assert 0.001 < written.mean() < 0.2
    assert not written[:, :16].any()
    assert not written[:, -16:].any()


def test_without_a_name_there_is_no_title_card(pictures, show, small):
    slideshow = show(pictures((300, 200)), small.model_copy(update={"titles": True}), title="")
    assert slideshow.timeline.slides[0].path == "00.png"


def test_the_line_below_the_title_says_how_many_and_when():
    times = pd.to_datetime(pd.Series(["2019-05-01", "2021-06-01", None]))
    assert describe(3, 3, times) == "3 pictures, 2019 to 2021"
    assert describe(1, 1, pd.to_datetime(pd.Series(["2019-05-01"]))) == "1 picture, May 2019"
    assert describe(4, 4, pd.to_datetime(pd.Series([None] * 4))) == "4 pictures"
    assert describe(10, 1200, None) == "10 of 1,200 pictures"


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("14 to 16 May 2019", "3 pictures"),
        ("Rome, May 2019", "3 pictures"),
        ("2019 Rome", "3 pictures, May"),
        ("Rome", "3 pictures, May 2019"),
        ("Room 20190", "3 pictures, May 2019"),
    ],
)
def test_the_line_does_not_say_again_what_the_title_says(title, line):
    assert (
        describe(3, 3, pd.to_datetime(pd.Series(["2019-05-14", "2019-05-15", "2019-05-16"])), title) == line
    )


def test_a_title_card_says_how_many_of_the_pictures_are_shown(pictures, show, small):
    images = pictures(*[(60, 40)] * 5)
    few = small.model_copy(update={"titles": True, "max_images_per_video": 2})
    assert show(images, few).storyboard.subtitle == "2 of 5 pictures"
    assert show(images, small).storyboard.subtitle == "5 pictures"
