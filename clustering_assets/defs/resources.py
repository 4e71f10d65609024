"""The settings as a Dagster resource."""

from typing import Any

import dagster as dg
import pydantic

from clustering_assets.defs.instance import collection_of
from clustering_assets.defs.orphaned_runs import PROCESS_TAG
from clustering_assets.leases import keep_off_others
from clustering_assets.outputs import Outputs
from clustering_assets.places import ROOTS_VARIABLE, is_below, roots
from clustering_assets.preflight import check_named
from clustering_assets.process_identity import this_process
from clustering_assets.settings import PLACES, Settings, SettingsError, load_settings

OUTPUT_TAG = "output"
"""Tag of a run, for people: the output that it is about."""


class SettingsResource(dg.ConfigurableResource):
    """All settings of the project, to be changed for one run in the Launchpad.

    The fields are those of `clustering_assets.settings.Settings`, added by `settings_type`, so each setting is defined
    once. A bad value stops the run before its first step.
    """

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Refuse bad values, and an output that is another machine's for now, before any work; note who does it."""
        values = self.value
        if context.run is None:  # a sensor, which looks again in a moment
            return
        self._check_collection(context, values.output)
        keep_off_others(values.output)
        check_named(values)
        if context.run.tags.get(PROCESS_TAG) != this_process() and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})

    def _check_collection(self, context: dg.InitResourceContext, output: str) -> None:
        """Refuse to write the history of one output into that of another, and let the run say which one it is about."""
        if context.instance is None or context.run is None:
            return
        own = collection_of(context.instance)
        if own and not (is_below(own, [output]) and is_below(output, [own])):
            raise SettingsError(
                f"output = {output!r}: the history here is that of {own}; start the UI with CLUSTERING_OUTPUT={output} "
                "for that of the other"
            )
        if context.run.tags.get(OUTPUT_TAG) != output:
            context.instance.add_run_tags(context.run.run_id, {OUTPUT_TAG: output})

    @property
    def value(self) -> Settings:
        """The settings, checked.

        Raises:
            SettingsError: A value is out of range, or a place that the run config names is none of `roots`.
        """
        values = load_settings(**{name: getattr(self, name) for name in Settings.model_fields})
        allowed = roots([type(self).model_fields[name].default for name in PLACES])
        for name in PLACES:
            if (place := getattr(values, name)) and not is_below(place, allowed):
                raise SettingsError(
                    f"{name} = {place!r}: must be below {' or '.join(dict.fromkeys(allowed))}; to allow more, name "
                    f"folders in {ROOTS_VARIABLE} where Dagster is started"
                )
        return values

    @property
    def outputs(self) -> Outputs:
        """Where results lie."""
        return Outputs(self.value.output)


def settings_type(defaults: Settings) -> type[SettingsResource]:
    """The resource class whose fields are all settings, with `defaults` as their defaults."""
    fields: dict[str, Any] = {
        name: (
            field.annotation,
            pydantic.Field(default=getattr(defaults, name), description=field.description),
        )
        for name, field in Settings.model_fields.items()
    }
    return pydantic.create_model("ClusteringSettings", __base__=SettingsResource, **fields)
