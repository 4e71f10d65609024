"""A short film of your own from the video of a cluster: its first seconds with a caption, faded out.

    python examples/edit_a_slideshow.py cluster_0 short.mp4 --output output

The slideshow is a lazy MoviePy clip: only the frames that are written are drawn.
"""

import argparse

from moviepy import CompositeVideoClip, TextClip, afx, vfx

from clustering_assets import PLAYABLE, open_slideshow


def main() -> None:
    """Cut, caption and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cluster", help='key of the cluster, such as "cluster_0"')
    parser.add_argument("film", help="file to write, such as short.mp4")
    parser.add_argument("--output", default="output", help="folder or URL of an output")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the film")
    given = parser.parse_args()
    show = open_slideshow(given.cluster, output=given.output)
    short = show.subclipped(0, min(given.seconds, show.duration))
    caption = TextClip(
        text=show.title,
        font_size=show.h // 12,
        color="white",
        stroke_color="black",
        stroke_width=1,
        margin=(8, 8),
    )
    caption = caption.with_duration(short.duration / 2).with_position(("center", 0.8), relative=True)
    film = CompositeVideoClip([short, caption.with_effects([vfx.CrossFadeOut(0.5)])])
    film = film.with_effects([vfx.FadeOut(0.5), afx.AudioFadeOut(0.5)] if short.audio else [vfx.FadeOut(0.5)])
    film.write_videofile(given.film, fps=show.fps, logger=None, **PLAYABLE)
    show.close()
    print(f"{given.film}: {film.duration:.1f} s of {show.title}")


if __name__ == "__main__":
    main()
