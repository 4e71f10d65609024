"""Every setting of the project: one place for its name, unit, range and default.

The order of precedence is: the defaults here, then a `.env` file, then `CLUSTERING_*` environment variables,
then the run config of the Dagster Launchpad or the flags of the command line. All use the same names.

The settings lie in groups, which what needs only them takes on its own:

>>> VideoSettings(resolution="1280x720", fps=30).size
(1280, 720)
"""

import difflib
import os
import re
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic
from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ModelWrapValidatorHandler
from pydantic_settings import BaseSettings, SettingsConfigDict

from clustering_assets.errors import ClusteringError
from clustering_assets.places import ROOTS_VARIABLE, check_place, is_below, is_url, masked, plain_place

Algorithm = Literal["kmeans", "hierarchical", "dbscan", "hdbscan", "auto"]
"""Each has its estimator in `clustering_assets.clustering.estimators.ESTIMATORS`."""

GroupBy = Literal["looks", "events", "folders", "events+looks"]
"""What makes the groups; see `clustering_assets.clustering.grouping`."""

LOOKS: GroupBy = "looks"

NUMBERED: tuple[Algorithm, ...] = ("kmeans", "hierarchical")
"""Algorithms that make the number of clusters that they are told to make."""

PLACES = ("images", "music", "output", "weights", "names_file", "choices_file", "pins_file")
"""Settings that are files and folders."""

HOSTS_VARIABLE = "CLUSTERING_HOSTS"
"""Environment variable: names beside localhost under which browsers reach the UI, separated by commas."""


FIRST = ("images", "music", "output", "clusters", "group_by", "min_images", "resolution", "shape", "length")
"""The settings that matter first, wherever they are listed in groups."""

LATER = {
    "choices_file": "",
    "shape": "",
    "length": 0,
    "group_by": LOOKS,
    "album_film": False,
    "follow_links": False,
}
"""Settings that came later, each with the value that stands for how it was before."""


def known_by(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a result is known by: settings without those that came later and are empty or as it was before.

    So what was made before there was a choice stays current.
    """
    return {
        name: value
        for name, value in values.items()
        if (value and value != LATER.get(name)) or name not in LATER
    }


class SettingsError(ClusteringError):
    """A setting that is out of range; the message gives its name, its value and the range."""


def _number_of_clusters(value: Any) -> Any:
    """`auto` means 0, which stands for "choose the number from the data"."""
    return 0 if isinstance(value, str) and value.strip().lower() == "auto" else value


NO_CAPTION, AUTO_CAPTION = "none", "auto"

CAPTION_FIELDS = ("name", "date", "place", "folder")
"""What a caption may say of a picture."""


def _kind_of_caption(value: Any) -> Any:
    """Once captions were on or off."""
    old = {"true": AUTO_CAPTION, "1": AUTO_CAPTION, "yes": AUTO_CAPTION, "on": AUTO_CAPTION}
    old |= dict.fromkeys(("false", "0", "no", "off"), NO_CAPTION)
    return old.get(str(value).strip().lower(), value) if isinstance(value, (str, bool)) else value


class Group(BaseModel):
    """Settings that belong together. Immutable; a bad value raises `SettingsError` with its name and its range."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _explained(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """What pydantic finds wrong, as a `SettingsError`."""
        try:
            return handler(values)
        except pydantic.ValidationError as error:
            lines = (_explain(problem, cls) for problem in error.errors())
            raise SettingsError("\n".join(lines)) from None


AnyGroup = TypeVar("AnyGroup", bound=Group)


class Folders(Group):
    """Where things are."""

    images: str = Field(
        default="data/images",
        min_length=1,
        description="Folder of the pictures, or its URL, such as s3://bucket/pictures; searched recursively.",
    )
    music: str = Field(
        default="music", min_length=1, description="Folder of the music, or its URL; searched recursively."
    )
    output: str = Field(
        default="output",
        min_length=1,
        description="Where results go: a folder, or an fsspec URL such as s3://bucket/prefix.",
    )
    follow_links: bool = Field(
        default=False,
        description="Also read what symbolic links in the folders of pictures and music lead to outside of them.",
    )


class Dataset(Group):
    """When a folder of pictures is good enough."""

    min_images: int = Field(default=200, ge=1, description="Fewest usable pictures that a run goes on with.")
    max_failure_rate: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Largest share of files that may be rejected before the run fails (0 to 1).",
    )


class Limits(Group):
    """What is refused before it is decoded."""

    max_megapixels: float = Field(
        default=120, gt=0, le=1000, description="Largest picture that is decoded, in megapixels."
    )
    max_file_megabytes: float = Field(
        default=200, gt=0, description="Largest picture file that is opened, in MB."
    )


DEFAULT_LIMITS = Limits()


class Embedding(Group):
    """How pictures become vectors."""

    backbone: str = Field(
        default="auto",
        min_length=1,
        description="Network that embeds the pictures: auto, efficientnet_lite0, efficientnet_lite1, "
        "efficientnet_lite2, resnet50, vgg16, mobilenet, any torchvision classification model, or timm:NAME.",
    )
    weights: str = Field(
        default="", description="Weights file of your own for the backbone; empty: its published weights."
    )
    runtime: Literal["auto", "openvino", "torch"] = Field(
        default="auto",
        description="What runs the network: openvino, torch, or auto, which is torch on a GPU and openvino elsewhere.",
    )
    batch_size: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Pictures per forward pass, halved when memory runs out; 0: as many as keep the device busy.",
    )
    cache: bool = Field(default=True, description="Keep embeddings so that each picture is embedded once.")


class Clustering(Group):
    """How pictures become clusters."""

    group_by: GroupBy = Field(
        default=LOOKS,
        description="What pictures have in common that are in one cluster: looks, events (by date and place), folders, "
        "or events+looks (clusters within each event).",
    )
    algorithm: Algorithm = Field(
        default="kmeans", description="kmeans, hierarchical, dbscan, hdbscan or auto."
    )
    clusters: Annotated[int, BeforeValidator(_number_of_clusters)] = Field(
        default=5,
        ge=0,
        le=1000,
        description="Number of clusters; 0 (outside of the Launchpad also `auto`) chooses it from the data. "
        "With events+looks: at most so many in each event.",
    )
    eps: float = Field(
        default=0,
        ge=0,
        description="DBSCAN's radius, usually 0.5 to 1.2; 0: the knee of the k-distance curve.",
    )
    names_file: str = Field(
        default="",
        description="Your own names for clusters: a file of cluster,name lines; empty: names.csv in output.",
    )
    choices_file: str = Field(
        default="",
        description="Your last word on pictures: a file of path,choice lines; empty: choices.csv in output.",
    )


class Music(Group):
    """Which music goes with which cluster."""

    mood_model: Literal["auto", "vibenet", "none"] = Field(
        default="auto",
        description="Learned model that hears moods beside what is measured: vibenet, none, or auto, which is vibenet "
        "where it is installed.",
    )
    pins_file: str = Field(
        default="",
        description="File that pins tracks (cluster_0 or a mood, then the track); empty: pins.csv in music.",
    )


_SHAPES: Mapping[str, Callable[[tuple[int, int]], tuple[int, int]]] = {
    "wide": lambda sides: (max(sides), min(sides)),
    "vertical": lambda sides: (min(sides), max(sides)),
    "square": lambda sides: (min(sides), min(sides)),
}
"""What becomes of width and height in each shape that has a name."""


def _sides(text: str, wanted: str = "") -> tuple[int, int]:
    """Width and height as they are written in settings.

    Raises:
        ValueError: It is something else than what is `wanted`, or a size that H.264 cannot hold.
    """
    if not (sides := re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)):
        raise ValueError(f"must be {wanted}")
    width, height = map(int, sides.groups())
    if any(side % 2 or not 64 <= side <= 7680 for side in (width, height)):
        raise ValueError("both sides must be even numbers from 64 to 7680")
    return width, height


class _Video(Group):
    """How videos look and sound."""

    resolution: str = Field(
        default="1920x1080",
        description="Size of the videos, WIDTHxHEIGHT in pixels, both even, 64 to 7680.",
    )
    shape: str = Field(
        default="",
        description="wide, vertical or square, with the sides of resolution, or a size of its own such as 1080x1350; "
        "empty: as resolution says.",
    )
    length: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="Most seconds that a video lasts, such as 15, 30, 60 or 90; pictures and music are fitted to it; "
        "0: as long as its pictures take.",
    )
    fps: int = Field(default=25, ge=1, le=120, description="Frames per second.")
    seconds_per_image: float = Field(
        default=3.0, gt=0, le=60, description="Seconds that each picture is on screen."
    )
    transition_seconds: float = Field(
        default=0.8, ge=0, le=10, description="Seconds of each transition; at most half of seconds_per_image."
    )
    max_images_per_video: int = Field(default=40, ge=1, le=1000, description="Most pictures in one video.")
    motion: bool = Field(default=True, description="Move slowly over each picture (Ken Burns).")
    beat_sync: bool = Field(default=True, description="Cut on the beat of the music where it is clear.")
    order: Literal["visual", "time"] = Field(
        default="visual",
        description="Order of the pictures in a video: visual (neighbours look alike) or time (as they were taken).",
    )
    titles: bool = Field(default=False, description="Begin each video with a title card.")
    captions: Annotated[str, BeforeValidator(_kind_of_caption)] = Field(
        default=NO_CAPTION,
        description="What stands in a corner of every picture: none, name (of its cluster), date, place, folder, auto "
        "(your own name of its cluster, else its date or folder), or a template such as '{name} - {date}'.",
    )
    quality: Literal["preview", "standard", "high"] = Field(
        default="standard", description="Quality of the videos: preview (quick and small), standard or high."
    )
    encoder: Literal["x264", "nvenc", "videotoolbox", "vaapi"] = Field(
        default="x264",
        description="H.264 encoder: x264, or the hardware's (nvenc, videotoolbox, vaapi), which falls back to x264 "
        "with a warning.",
    )

    @pydantic.field_validator("resolution")
    @classmethod
    def _even_sizes(cls, value: str) -> str:
        """Refuse sizes that H.264 cannot hold."""
        _sides(value, "a width and a height, such as 1920x1080 or 1280x720")
        return value

    @pydantic.field_validator("shape")
    @classmethod
    def _known_shape(cls, value: str) -> str:
        """Refuse shapes that there are not."""
        if value not in ("", *_SHAPES):
            _sides(value, f"{', '.join(_SHAPES)}, or a width and a height, such as 1080x1350")
        return value

    @pydantic.field_validator("captions")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        """Refuse templates that cannot be filled in."""
        known = f"must be none, {', '.join(CAPTION_FIELDS)}, {AUTO_CAPTION}, or a template with "
        known += " or ".join(f"{{{name}}}" for name in CAPTION_FIELDS)
        try:
            parts = list(string.Formatter().parse(value))
        except ValueError:
            raise ValueError(f"{known}: a brace stands alone") from None
        for _, name, spec, conversion in parts:
            if name is not None and (name not in CAPTION_FIELDS or spec or conversion):
                written = "".join([name, f"!{conversion}" if conversion else "", f":{spec}" if spec else ""])
                raise ValueError(f"{known}: it has {{{written}}}")
        words = (NO_CAPTION, AUTO_CAPTION, *CAPTION_FIELDS)
        if value not in words and not any(name for _, name, _, _ in parts):
            raise ValueError(known)
        return value

    @property
    def caption_fields(self) -> frozenset[str]:
        """What captions say of a picture, some of `CAPTION_FIELDS`; empty where there are no captions."""
        if self.captions == AUTO_CAPTION:
            return frozenset(("name", "date", "folder"))
        return frozenset(
            name for name in CAPTION_FIELDS if name == self.captions or f"{{{name}}}" in self.captions
        )

    @pydantic.model_validator(mode="after")
    def _transition_fits(self) -> Self:
        """Refuse transitions of which two would overlap."""
        if self.transition_seconds > self.seconds_per_image / 2:
            raise SettingsError(
                f"transition_seconds = {self.transition_seconds:g} must be at most half of "
                f"seconds_per_image = {self.seconds_per_image:g}"
            )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the videos, in pixels."""
        turned = _SHAPES.get(self.shape)
        return turned(_sides(self.resolution)) if turned else _sides(self.shape or self.resolution)


class Film(Group):
    """What is made of the videos."""

    album_film: bool = Field(
        default=False,
        description="Also make one film of all videos, with a card, a chapter and its music for each cluster.",
    )


class Work(Group):
    """Where the work is done."""

    engine: Literal["local", "ray"] = Field(
        default="local",
        description="What examines and embeds pictures and renders videos: local (this machine) or ray (a cluster).",
    )
    ray_address: str = Field(
        default="auto",
        min_length=1,
        description="The Ray cluster: HOST:PORT of its head; auto: the one that this machine belongs to.",
    )
    ray_cpus: float = Field(default=1, ge=0.1, le=1024, description="CPUs of each worker on the Ray cluster.")
    ray_gpus: float = Field(
        default=0,
        ge=0,
        le=64,
        description="GPUs of each worker on the Ray cluster; 0.5: two workers share one.",
    )


class _Sensors(Group):
    """What the UI does by itself."""

    sensors: bool = Field(default=False, description="Whether the sensors are on when the UI starts.")


class _Seed(Group):
    """What is left to chance."""

    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        description="Seed of everything random; of clusters only where there are more than 2,000 pictures.",
    )


class VideoSettings(_Seed, _Video):
    """How a video shall look and sound."""


class Settings(  # pyright: ignore[reportIncompatibleVariableOverride] - pydantic merges what the bases say
    BaseSettings,
    # a base's fields come after those of the bases behind it: this order, from below, is that of the README
    _Seed,
    _Sensors,
    Work,
    Film,
    _Video,
    Music,
    Clustering,
    Embedding,
    Limits,
    Dataset,
    Folders,
):
    """The settings of one run, and what each part of the work needs of them."""

    model_config = SettingsConfigDict(env_prefix="CLUSTERING_", env_file=".env", extra="ignore")

    @pydantic.field_validator(*PLACES)
    @classmethod
    def _plain_place(cls, value: str) -> str:
        """One spelling for each place, and none from which nothing is read."""
        check_place(value)
        return plain_place(value)

    @pydantic.field_validator("weights")
    @classmethod
    def _on_this_machine(cls, value: str) -> str:
        if is_url(value):
            raise ValueError("must be a file of this machine: fetch it first")
        return value

    @pydantic.model_validator(mode="after")
    def _output_is_no_input(self) -> Self:
        """Refuse an output whose results a later run would take for pictures or music."""
        for name in ("images", "music"):
            folder = getattr(self, name)
            if is_below(self.output, [folder]) and is_below(folder, [self.output]):
                raise SettingsError(
                    f"output = {self.output!r}: must be another folder than {name} = {folder!r}"
                )
        return self

    @classmethod
    def groups(cls) -> dict[str, list[str]]:
        """The names of all settings by what their group is about; those that matter first come first."""
        groups: dict[str, list[str]] = {"What matters first": list(FIRST)}
        for base in reversed(cls.__mro__):
            names = [name for name in vars(base).get("__annotations__", {}) if name in cls.model_fields]
            if names and base is not cls:
                heading = str(base.__doc__).partition(".")[0]
                groups[heading] = [name for name in names if name not in FIRST]
        return {heading: names for heading, names in groups.items() if names}

    @property
    def local_images(self) -> Path:
        """The folder of the pictures, to put some there.

        Raises:
            SettingsError: It lies on a store.
        """
        if is_url(self.images):
            raise SettingsError(
                f"images = {self.images!r}: pictures are imported into a folder of this machine; name one, and copy "
                "it to the store afterwards"
            )
        return Path(self.images)

    @property
    def limits(self) -> Limits:
        """Which pictures are too large."""
        return self._group(Limits)

    @property
    def video(self) -> VideoSettings:
        """What videos depend on."""
        return self._group(VideoSettings)

    @property
    def work(self) -> Work:
        """Where the work is done."""
        return self._group(Work)

    def _group(self, group: type[AnyGroup]) -> AnyGroup:
        return group(**{name: getattr(self, name) for name in group.model_fields})


def load_settings(**given: Any) -> Settings:
    """The settings from defaults, `.env`, environment and `given`, which wins; None counts as not given.

    Raises:
        SettingsError: A value is refused; the message has a line for each with name, value and range. Or `.env` is no
            text.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except UnicodeDecodeError as error:
        raise SettingsError(f".env cannot be read as text ({error}): save it in UTF-8") from error


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CLUSTERING_{name.upper()}"


def unknown_variables() -> list[str]:
    """What looks like a setting in the environment or `.env` and is none, with the name that may be meant.

    Returns:
        A line for each, sorted; empty if all is well.
    """
    known = {
        ROOTS_VARIABLE,
        HOSTS_VARIABLE,
        *map(variable, Settings.model_fields),
    }
    found = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    lines = []
    for name in sorted(name for name in found - known if name.startswith("CLUSTERING_")):
        close = difflib.get_close_matches(name, sorted(known), n=1)
        lines.append(f"{name} is no setting" + (f"; did you mean {close[0]}?" if close else ""))
    return lines


def _explain(problem: Any, group: type[Group]) -> str:
    """One line about one refused value, with its name, the value, what is allowed and where it was set."""
    name = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    source = f" (from {variable(name)})" if os.environ.get(variable(name)) == str(problem["input"]) else ""
    field = group.model_fields.get(name)
    hint = f" - {field.description}" if field and field.description else ""
    return f"{name} = {masked(repr(problem['input']))}{source}: {message[0].lower()}{message[1:]}{hint}"
