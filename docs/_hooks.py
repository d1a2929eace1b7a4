"""What mkdocs runs while it builds the site."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod):(?=<code>)")
# The theme takes this script from elsewhere; docs/assets/worker.js does the same.
_SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"></script>')
_BASE = re.compile(r'"base": ?"([^"]*)"')


def on_page_content(html: str, **_: Any) -> str:
    """Show a docstring's ``:meth:`name``` as the name: Markdown has no such roles."""
    return _ROLE.sub("", html)


def on_post_page(output: str, **_: Any) -> str:
    return _own_script(output)


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    return _own_script(output_content) if template_name.endswith(".html") else output_content


def _own_script(output: str) -> str:
    """Let the search of a page that is read from a file use a script of this site."""
    base = _BASE.search(output)
    root = base[1].rstrip("/") if base else "."
    return _SHIM.sub(f'<script src="{root}/assets/worker.js"></script>', output)
