"""Pictures to vectors: pretrained networks, what runs them, and the cache of what was embedded."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clustering_assets.embedding.files import load_embeddings

__all__ = ["load_embeddings"]


def __getattr__(name: str) -> Any:
    """`load_embeddings`, imported when it is first asked for."""
    if name == "load_embeddings":
        from clustering_assets.embedding.files import load_embeddings

        return load_embeddings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
