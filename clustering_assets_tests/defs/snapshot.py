"""Write the snapshot of the asset graph: python -m clustering_assets_tests.defs.snapshot."""

import json
from pathlib import Path

import dagster as dg

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")


def described(spec: dg.AssetSpec) -> dict[str, object]:
    return {
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "code_version": spec.code_version,
        "partitioned": spec.partitions_def is not None,
        "output": spec.metadata.get("output"),
        "settings": list(spec.metadata.get("settings", [])),
        "description": (spec.description or "").splitlines()[0],
    }


if __name__ == "__main__":
    from clustering_assets_tests.projects import defs

    specs = {spec.key.to_user_string(): described(spec) for spec in defs.resolve_all_asset_specs()}
    SNAPSHOT.write_text(json.dumps(specs, indent=2, sort_keys=True) + "\n", encoding="utf-8")
