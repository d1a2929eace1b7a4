"""What mkdocs runs while it builds the site."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.utils import get_relative_url

_ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod):(?=<code>)")
# The theme takes this script from elsewhere; docs/assets/worker.js does the same.
_SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"></script>')
_BASE = re.compile(r'"base": ?"([^"]*)"')


# What a link may not be put into.
_CLOSED = re.compile(r"(<(a|h[1-6]|pre)\b.*?</\2>)", re.DOTALL)
_ERRORS = "errors.html"
_ERROR = re.compile(
    "<code>({})</code>".format(
        "|".join(
            re.findall(
                r"^## (\w+)$",
                (Path(__file__).parent / "errors.md").read_text(encoding="utf-8"),
                re.MULTILINE,
            )
        )
    )
)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Show a docstring's roles as names, and let the name of an error lead to its section."""
    html = _ROLE.sub("", html)
    if page.url == _ERRORS:
        return html
    address = get_relative_url(_ERRORS, page.url)
    parts = _CLOSED.split(html)
    # a part, what is closed to links, and the name of its tag, by turns
    parts[::3] = [_ERROR.sub(partial(_link, address), part) for part in parts[::3]]
    del parts[2::3]
    return "".join(parts)


def _link(address: str, error: re.Match[str]) -> str:
    return f'<a href="{address}#{error[1].lower()}">{error[0]}</a>'


def on_post_page(output: str, **_: Any) -> str:
    return _own_script(output)


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    return _own_script(output_content) if template_name.endswith(".html") else output_content


def _own_script(output: str) -> str:
    """Let the search of a page that is read from a file use a script of this site."""
    base = _BASE.search(output)
    root = base[1].rstrip("/") if base else "."
    return _SHIM.sub(f'<script src="{root}/assets/worker.js"></script>', output)
