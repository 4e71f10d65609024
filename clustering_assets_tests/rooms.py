"""Draw the rooms of the package and their imports in docs/architecture.md: python -m clustering_assets_tests.rooms."""

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[1] / "docs/architecture.md"

PACKAGE = "clustering_assets"
GROUND = "ground"
ABOVE = {"__main__", "definitions", "preflight", "rendering", "results", "slideshows"}
"""Single modules that are no ground to build on: they use the rooms."""


def room(module: str) -> str:
    """The room of a module: its folder, `ground` for the modules beside the folders, empty for the package itself."""
    parts = module.split(".")[1:]
    if not parts:
        return ""
    folder = Path(__file__).parents[1] / PACKAGE / parts[0]
    return parts[0] if folder.is_dir() or parts[0] in ABOVE else GROUND


def imports_of_rooms() -> dict[str, set[str]]:
    """Which rooms each room imports from, itself and the ground left out."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        if here := room(module):
            others = {room(imported) for imported in graph.find_modules_directly_imported_by(module)}
            found.setdefault(here, set()).update(others - {here, "", GROUND})
    return found


def drawing() -> str:
    """The rooms and their imports in Mermaid, which GitHub draws."""
    lines = ["flowchart TD"]
    for name, others in sorted(imports_of_rooms().items()):
        lines += [f"    {name} --> {other}" for other in sorted(others)]
    return "\n".join(lines)


def with_drawing(page: str) -> str:
    """The page with the drawing as it should be."""
    return re.sub(
        r"```mermaid\n.*?\n```", lambda _: f"```mermaid\n{drawing()}\n```", page, count=1, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(with_drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
