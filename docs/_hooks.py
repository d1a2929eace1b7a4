"""What mkdocs runs while it builds the site."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod):(?=<code>)")


def on_page_content(html: str, **_: Any) -> str:
    """Show a docstring's ``:meth:`name``` as the name: Markdown has no such roles."""
    return _ROLE.sub("", html)
