"""What all IO managers share: paths from the asset's metadata, below the output folder or URL."""

from typing import Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.failures import told
from clustering_assets.defs.links import link_to
from clustering_assets.defs.records import PUBLISHED
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.integrity import State
from clustering_assets.leases import keep_off_others
from clustering_assets.outputs import Outputs, files_of
from clustering_assets.storage import mark_output

OUTPUT = "output"
"""Metadata key of an asset definition: where below the output its result lies."""


class OutputIOManager(dg.ConfigurableIOManager, dg.UPathIOManager):
    """Stores each asset at the name that its definition's metadata gives under `output`, in the output of the run.

    In the name of a partitioned asset `{partition}` stands for the partition key. Writing is atomic: each
    subclass writes through `clustering_assets.storage`.
    """

    settings: dg.ResourceDependency[SettingsResource]

    @property
    def outputs(self) -> Outputs:
        """The output of the run."""
        return self.settings.outputs

    @property
    def _base_path(self) -> UPath:
        """The output, as the base class asks for it."""
        return self.outputs.path("")

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
        mark_output(self._base_path)

    def load_input(self, context: dg.InputContext) -> Any:
        """The stored value; of several partitions a dict by key, also when there is one or none of them.

        A run of one partition that reads the same partition upstream gets the bare value.

        Raises:
            Failure: It was never made, or has to be made anew.
        """
        asset = context.asset_key.to_user_string()
        try:
            with told():
                for name in self._names(context):
                    if self.outputs.records.state(name) is State.DAMAGED:
                        raise dg.Failure(
                            f"{name} in {self.outputs.root} {State.DAMAGED.value}: materialize {asset} anew."
                        )
                if not context.has_asset_partitions or context.has_partition_key:
                    return super().load_input(context)
                paths = self._get_paths_for_partitions(context)
                return {key: self.load_from_path(context, path) for key, path in paths.items()}
        except FileNotFoundError as error:
            raise dg.Failure(
                f"There is no {asset} in {self.outputs.root} yet: materialize {asset} first."
            ) from error

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store a value, and record what was written.

        Raises:
            Failure: It cannot be written, or the output is another machine's at the time.
        """
        try:
            with told():
                keep_off_others(self.outputs.root)
                super().handle_output(context, obj)
                records = self.outputs.records
                files = self.files(context, obj)
                hashes = records.publish(files, self.known_hashes(obj)) | records.hashes(self.kept(obj))
                context.add_output_metadata({PUBLISHED: dg.MetadataValue.json(hashes)})
                context.add_output_metadata(link_to(self.outputs.path(files[0])) if files else {})
        except OSError as error:
            raise dg.Failure(
                f"{context.asset_key.to_user_string()} cannot be stored in {self.outputs.root}: "
                f"{error.strerror or error}. Make room or choose another folder with the setting output."
            ) from error

    def files(self, context: dg.OutputContext, obj: Any) -> list[str]:
        """Names below the output of the files that were written."""
        outputs = self.outputs
        return [name for name in self._names(context) if outputs.path(name).is_file()]

    def kept(self, obj: Any) -> list[str]:
        """Names below the output of files that belong to the value and were there as they should be."""
        return []

    def known_hashes(self, obj: Any) -> dict[str, str]:
        """Hashes, by name below the output, of those files whose content was hashed before it was written."""
        return {}

    def _names(self, context: dg.InputContext | dg.OutputContext) -> list[str]:
        """Names below the output of everything that a context is about."""
        several = context.has_asset_partitions
        paths = self._get_paths_for_partitions(context).values() if several else [self._get_path(context)]
        names = [self.outputs.name_of(path) for path in paths]
        return [file for name in names for file in files_of(name)]
