"""What clustering can be asked for: the algorithms by name, and a request, which is refused where it cannot be."""

import math
from dataclasses import dataclass
from typing import get_args

from clustering_assets.errors import ClusteringError
from clustering_assets.settings import LOOKS, NUMBERED, Algorithm, GroupBy


class AlgorithmError(ClusteringError):
    """An algorithm that does not exist, or a number of clusters that cannot be."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        algorithm: One of `Algorithm`.
        clusters: Number of clusters for those of `NUMBERED`; 0 chooses it. The others find their own number.
        eps: DBSCAN's radius in its neighbour embedding, where direct neighbours are less than 1 apart; 0 takes the
            knee of the k-distance curve.
        seed: Seed of everything random.
        group_by: What makes the groups. With events or folders alone nothing else counts; with events and looks
            the clusters are those within each event, at most so many in each.

    Raises:
        AlgorithmError: No data could satisfy it; the message gives name, value and range.
    """

    algorithm: str
    clusters: int = 0
    eps: float = 0
    seed: int = 0
    group_by: GroupBy = LOOKS

    def __post_init__(self) -> None:
        algorithms = get_args(Algorithm)
        if self.algorithm not in algorithms:
            raise AlgorithmError(f"algorithm = {self.algorithm!r}: choose one of {', '.join(algorithms)}")
        if self.clusters < 0:
            raise AlgorithmError(f"clusters = {self.clusters}: must be 1 or more, or 0 (auto)")
        if not 0 <= self.eps < math.inf:
            raise AlgorithmError(f"eps = {self.eps}: must be 0 (choose it) or a positive distance")

    @property
    def fixed(self) -> bool:
        """Whether a number of clusters is asked for, so that another number is no answer."""
        return self.clusters > 0 and self.algorithm in NUMBERED and self.group_by == LOOKS

    def __str__(self) -> str:
        """The request as it is stored: only an answer to the same one can be kept."""
        looks = f"{self.algorithm} clusters={self.clusters} eps={self.eps:g} seed={self.seed}"
        if self.group_by == LOOKS:
            return looks
        return f"{self.group_by} {looks}" if LOOKS in self.group_by else self.group_by
