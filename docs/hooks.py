"""Hooks of the documentation site (`mkdocs.yml`): pages that lie beside ``docs/``, and links that lead out of it."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).resolve().parents[1]
BESIDE = {"CONTRIBUTING.md": "contributing.md", "ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
"""Documents of the checkout that are pages of the site too."""

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the documents of the checkout."""
    for name, page in BESIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(CHECKOUT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between ``docs/`` and the checkout into links of the site; one to a source file becomes its path."""
    path = page.file.abs_src_path
    folder = Path(path).parent if path else CHECKOUT / "docs"

    def replaced(link: re.Match[str]) -> str:
        target = (folder / link["target"]).resolve()
        if not target.is_relative_to(CHECKOUT) or not target.exists():
            return link[0]  # MkDocs warns
        name = target.relative_to(CHECKOUT).as_posix()
        if name.startswith("docs/") or name in BESIDE:
            return f"[{link['text']}]({BESIDE.get(name, name.removeprefix('docs/'))}{link['anchor'] or ''})"
        return link["text"] if name in link["text"] else f"{link['text']} (`{name}`)"

    for name, target in BESIDE.items():
        markdown = markdown.replace(f"]: {name}", f"]: {target}")  # a definition, below the text
    return _LINK.sub(replaced, markdown)
