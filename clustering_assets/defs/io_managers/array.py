"""Arrays: the pair of `embeddings.npy` and `image_paths.txt`."""

from typing import Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.embedding.files import EmbeddingPair, load_embeddings, load_network, save_embeddings


class ArrayIO(OutputIOManager):
    """Stores vectors and the path of the picture behind each row, both or neither."""

    def dump_to_path(self, context: dg.OutputContext, obj: EmbeddingPair, path: UPath) -> None:
        """Write the array and, beside it, its paths."""
        save_embeddings(path.parent, *obj)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> EmbeddingPair:
        """Read both back; the array is mapped from disk where that is possible."""
        return EmbeddingPair(*load_embeddings(path.parent, mmap=True), load_network(path.parent))

    def get_metadata(self, context: dg.OutputContext, obj: EmbeddingPair) -> dict[str, Any]:
        """Rows, dimension and type."""
        rows, dimension = obj.vectors.shape
        return {"dagster/row_count": rows, "dimension": dimension, "dtype": str(obj.vectors.dtype)}
