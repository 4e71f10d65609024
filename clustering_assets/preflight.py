"""What the settings name, looked for before any work: the network, the user's own files, the engine."""

from pathlib import Path

from clustering_assets.embedding.backbone import BackboneError
from clustering_assets.embedding.catalogue import check_backbone_name
from clustering_assets.outputs import choices_file, names_file, pins_file
from clustering_assets.places import is_url
from clustering_assets.settings import Settings, SettingsError
from clustering_assets.stores import open_place
from clustering_assets.work.choice import make_engine

_FILES = ("weights", "names_file", "choices_file", "pins_file")


def check_named(settings: Settings) -> None:
    """Refuse settings that name a network, folder, file or store that there is not, and files that cannot be read.

    Raises:
        SettingsError: With the setting, its value and the way out.
        NamesError: The names of clusters cannot be read; the message gives file and line.
        ChoicesError: The same for the choices of pictures.
        PinsError: The same for the pinned tracks.
        StoreError: A store cannot be used.
        LearnedMoodError: The model that moods are to be heard with is not installed.
        WorkError: The engine is not installed.
    """
    from clustering_assets.clustering import gazetteer
    from clustering_assets.clustering.choices import read_choices
    from clustering_assets.clustering.given_names import read_names
    from clustering_assets.music.learned_mood import learned_mood
    from clustering_assets.music.pins import read_pins

    try:
        check_backbone_name(settings.backbone, own_weights=bool(settings.weights))
    except BackboneError as error:
        raise SettingsError(str(error)) from error
    for name in ("images", "music", "output"):
        if is_url(place := getattr(settings, name)):
            open_place(place, name).exists()  # which says so where the store cannot be used
    if Path(settings.music).is_file():
        raise SettingsError(f"music = {settings.music!r}: is a file; name the folder that it is in")
    named = settings.music != Settings.model_fields["music"].default
    if named and not is_url(settings.music) and not Path(settings.music).exists():
        raise SettingsError(f"music = {settings.music!r}: there is no such folder")
    for name in _FILES:
        if (place := getattr(settings, name)) and not open_place(place, name).is_file():
            raise SettingsError(f"{name} = {place!r}: there is no such file")
    if settings.weights and settings.backbone == "auto":
        raise SettingsError(
            f"weights = {settings.weights!r}: name the backbone that they belong to, not auto"
        )
    if "place" in settings.video.caption_fields and not gazetteer.version():
        raise SettingsError(
            f"captions = {settings.captions!r}: places have names where a gazetteer is installed: "
            f"pip install {gazetteer.PACKAGE}"
        )
    read_names(names_file(settings))
    read_choices(choices_file(settings))
    read_pins(pins_file(settings))
    learned_mood(settings.mood_model)
    make_engine(settings.work)
