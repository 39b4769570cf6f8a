"""The console loads what is in the repository, unchanged, and runs nothing from its pages."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.support.clone import ROOT

CONSOLE = ROOT / "services" / "status-api" / "src" / "holdfast_status_api" / "console"
#: htmx.org 2.0.11, dist/htmx.min.js.
HTMX_SHA256 = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
PAGES = sorted((CONSOLE / "templates").rglob("*.html"))


def test_htmx_is_the_released_file_and_has_its_licence_beside_it() -> None:
    file = CONSOLE / "static" / "htmx.min.js"

    assert hashlib.sha256(file.read_bytes()).hexdigest() == HTMX_SHA256
    assert 'version:"2.0.11"' in file.read_text("utf-8")
    assert "Zero-Clause BSD" in (CONSOLE / "static" / "htmx.LICENSE").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_has_no_script_or_style_of_its_own_and_nothing_from_elsewhere(page: Path) -> None:
    source = page.read_text("utf-8")

    assert re.findall(r"\sstyle=|\son[a-z]+=|<style|javascript:|hx-on", source) == []
    assert re.findall(r"<script(?![^>]* src=)", source) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", source) == []
    assert re.findall(r"\|\s*safe", source) == re.findall(
        r"(?:table|rows|view\.sections\[name\])(\|\s*safe)", source
    ), "only what a template of ours made goes in as it is"


def test_styles_load_nothing() -> None:
    source = (CONSOLE / "static" / "console.css").read_text("utf-8")

    assert re.findall(r"@import|url\(", source) == []
