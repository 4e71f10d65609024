"""Tables: pandas DataFrames as Parquet or CSV."""

from typing import Any

import dagster as dg
import pandas as pd
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.tables import TABLES, read_table, write_table

TABLE = dg.DagsterType(
    name="DataFrame",
    description="A pandas DataFrame.",
    type_check_fn=lambda _context, value: isinstance(value, pd.DataFrame),
    typing_type=pd.DataFrame,
)
"""Type of assets that are tables. An asset with checks must name its type: `MaterializeResult` alone means none."""


def shown_table(table: pd.DataFrame) -> dg.TableMetadataValue:
    """A small table, which the UI shows at once; numbers to three digits."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return dg.MetadataValue.table(
        [dg.TableRecord({str(name): _cell(value) for name, value in row.items()}) for row in rows],
        dg.TableSchema([dg.TableColumn(str(name)) for name in table.columns]),
    )


def _cell(value: Any) -> str | int | None:
    return f"{value:.3g}" if isinstance(value, float) else value if isinstance(value, (int, str)) else None


class TableIO(OutputIOManager):
    """Stores a DataFrame as Parquet or CSV, after the ending of the asset's name."""

    def dump_to_path(self, context: dg.OutputContext, obj: pd.DataFrame, path: UPath) -> None:
        """Write the table."""
        write_table(path, obj)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pd.DataFrame:
        """Read the table."""
        asset = context.asset_key.to_user_string()
        known = next((table for table in TABLES if table.asset == asset), None)
        return known.read(path) if known else read_table(path)

    def get_metadata(self, context: dg.OutputContext, obj: pd.DataFrame) -> dict[str, Any]:
        """Row count and columns with their meaning, under the keys that Dagster's UI knows."""
        asset = context.asset_key.to_user_string()
        known = next((table.columns for table in TABLES if table.asset == asset), {})
        meanings = {name: column.meaning for name, column in known.items()}
        columns = [
            dg.TableColumn(str(name), str(kind), description=meanings.get(str(name)))
            for name, kind in obj.dtypes.items()
        ]
        schema = dg.MetadataValue.table_schema(dg.TableSchema(columns))
        return {"dagster/row_count": len(obj), "dagster/column_schema": schema}
