"""Write the table of settings into the README: python -m clustering_assets_tests.readme_settings."""

import re
from pathlib import Path

from clustering_assets.settings import Settings


def settings_table() -> str:
    """All settings as a Markdown table, as the README shows them."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default == "" else f"`{str(field.default).lower()}`"
        lines.append(f"| `{name}` | {default} | {str(field.description).replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    readme = Path(__file__).parents[1] / "README.md"
    table = f"<!-- settings -->\n{settings_table()}\n<!-- /settings -->"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        re.sub(r"<!-- settings -->.*<!-- /settings -->", lambda _: table, text, flags=re.DOTALL),
        encoding="utf-8",
    )
