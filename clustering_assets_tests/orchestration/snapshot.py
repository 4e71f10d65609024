"""Write the snapshot of the asset graph: python -m clustering_assets_tests.orchestration.snapshot."""

import json

from clustering_assets_tests.orchestration.test_definitions import SNAPSHOT, defs, described

if __name__ == "__main__":
    specs = {spec.key.to_user_string(): described(spec) for spec in defs.resolve_all_asset_specs()}
    SNAPSHOT.write_text(json.dumps(specs, indent=2, sort_keys=True) + "\n", encoding="utf-8")
