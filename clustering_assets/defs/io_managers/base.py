"""What all IO managers share: paths from the asset's metadata, below the output folder or URL."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.failures import told
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.integrity import State
from clustering_assets.outputs import Outputs, files_of
from clustering_assets.storage import mark_output
from clustering_assets.stores import open_place

PUBLISHED = "published"
"""Metadata key of a materialization: the hash of each file that was written, by its name below the output."""

OUTPUT = "output"
"""Metadata key of an asset definition: where below the output its result lies."""


class OutputIOManager(dg.UPathIOManager):
    """Stores each asset at the name that its definition's metadata gives under `output`.

    In the name of a partitioned asset `{partition}` stands for the partition key. Writing is atomic: each
    subclass writes through `clustering_assets.storage`.
    """

    def __init__(self, root: str) -> None:
        super().__init__(open_place(root, "output"))
        self.root = root

    def get_asset_relative_path(self, context: dg.InputContext | dg.OutputContext) -> UPath:
        """The name below the output, as the asset's definition gives it."""
        described = context.upstream_output if isinstance(context, dg.InputContext) else context
        metadata = described.definition_metadata if described is not None else None
        if not metadata or OUTPUT not in metadata:
            raise dg.DagsterInvalidDefinitionError(
                f"{context.asset_key.to_user_string()} needs metadata={{'{OUTPUT}': 'folder/name.ending'}}"
            )
        name = metadata[OUTPUT]
        return UPath(name.value if isinstance(name, dg.MetadataValue) else name)

    def get_path_for_partition(
        self, context: dg.InputContext | dg.OutputContext, path: UPath, partition: str
    ) -> UPath:
        """The asset's name with the partition key in its place."""
        return UPath(str(path).replace("{partition}", partition))

    def make_directory(self, path: UPath) -> None:
        """Mark the output, so that its pictures are never taken for input; atomic writing makes every folder."""
        mark_output(open_place(self.root, "output"))

    def load_input(self, context: dg.InputContext) -> Any:
        """The stored value; of several partitions a dict by key, also when there is one or none of them.

        A run of one partition that reads the same partition upstream gets the bare value.
        """
        try:
            with told():
                self._refuse_damage(context)
                if not context.has_asset_partitions or context.has_partition_key:
                    return super().load_input(context)
                paths = self._get_paths_for_partitions(context)
                return {key: self.load_from_path(context, path) for key, path in paths.items()}
        except FileNotFoundError as error:
            name = context.asset_key.to_user_string()
            raise dg.Failure(f"There is no {name} in {self.root} yet: materialize {name} first.") from error

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store a value, and record what was written.

        Raises:
            Failure: It cannot be written.
        """
        try:
            with told():
                super().handle_output(context, obj)
                hashes = Outputs(self.root).records.publish(self.files(context, obj))
                context.add_output_metadata({PUBLISHED: dg.MetadataValue.json(hashes)})
        except OSError as error:
            name = context.asset_key.to_user_string()
            raise dg.Failure(
                f"{name} cannot be stored in {self.root}: {error.strerror or error}. Make room or choose another "
                "folder with the setting output."
            ) from error

    def files(self, context: dg.OutputContext, obj: Any) -> list[str]:
        """Names below the output of the files that were written."""
        outputs = Outputs(self.root)
        return [name for name in self._names(context) if outputs.path(name).is_file()]

    def _names(self, context: dg.InputContext | dg.OutputContext) -> list[str]:
        """Names below the output of everything that a context is about."""
        several = context.has_asset_partitions
        paths = self._get_paths_for_partitions(context).values() if several else [self._get_path(context)]
        names = [Outputs(self.root).name_of(path) for path in paths]
        return [file for name in names for file in files_of(name)]

    def _refuse_damage(self, context: dg.InputContext) -> None:
        """Refuse to go on with what is not as it was written.

        Raises:
            Failure: It has to be made anew.
        """
        for name in self._names(context):
            if Outputs(self.root).records.state(name) is State.DAMAGED:
                asset = context.asset_key.to_user_string()
                raise dg.Failure(f"{name} in {self.root} {State.DAMAGED.value}: materialize {asset} anew.")

    def get_metadata(self, context: dg.OutputContext, obj: Any) -> dict[str, Any]:
        """What the UI shows of the stored value beside its path."""
        return dict(self.describe(obj))

    @abstractmethod
    def describe(self, obj: Any) -> Mapping[str, Any]:
        """Metadata about the value: shape, row count, columns."""


class OutputIOFactory(dg.ConfigurableIOManagerFactory[OutputIOManager]):
    """Makes an IO manager for the output folder of the run's settings."""

    settings: dg.ResourceDependency[SettingsResource]
