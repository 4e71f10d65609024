"""Checks that an asset makes of its value before it is stored: each is one function beside the asset."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import dagster as dg


class Verdict(NamedTuple):
    """What a check found; a description says what is wrong, or how it stands."""

    passed: bool
    description: str | None = None
    metadata: Mapping[str, Any] = {}


Judge = Callable[..., Verdict]


class Checks:
    """The checks of one asset.

    >>> checks = Checks("cluster_assignments")
    >>> @checks("Every cluster has at least three pictures.")
    ... def no_tiny_clusters(sizes: list[int]) -> Verdict:
    ...     return Verdict(min(sizes) >= 3)
    >>> [result.passed for result in checks.results([5, 2])]
    [False]
    """

    def __init__(self, asset: str) -> None:
        self._asset = asset
        self._checks: list[tuple[dg.AssetCheckSpec, Judge]] = []

    def __call__(self, description: str, *, blocking: bool = False) -> Callable[[Judge], Judge]:
        """Make a function a check, named as the function.

        Args:
            description: What holds where the check passes.
            blocking: Whether a run ends where it does not; otherwise it draws a warning.
        """

        def added(judge: Judge) -> Judge:
            name = getattr(judge, "__name__", "")
            spec = dg.AssetCheckSpec(name, asset=self._asset, description=description, blocking=blocking)
            self._checks.append((spec, judge))
            return judge

        return added

    @property
    def specs(self) -> list[dg.AssetCheckSpec]:
        """The checks, for the definition of the asset."""
        return [spec for spec, _ in self._checks]

    def results(self, *value: Any) -> list[dg.AssetCheckResult]:
        """What all checks find in a value."""
        return [
            dg.AssetCheckResult(
                **judge(*value)._asdict(),
                check_name=spec.name,
                severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
            )
            for spec, judge in self._checks
        ]
