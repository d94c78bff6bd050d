"""The documentation site is built as `make docs` does."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.mark.train
def test_it_builds_without_a_warning_and_opens_offline(tmp_path, monkeypatch):
    """A link to a page, picture or heading that does not exist is a warning, and with `strict` an error."""
    pytest.importorskip("mkdocstrings_handlers.python", reason="the extra docs is not installed")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    config = load_config(str(CHECKOUT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    pages = sorted((tmp_path / "site").glob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?:[^"]+)', page.read_text("utf-8")
        )
        assert loaded == [], page.name
    assert "LabelledGenerator" in (tmp_path / "site" / "python.html").read_text("utf-8")
