"""Check the built documentation: ``python -m tools.check_site site``.

Each link within the site leads to a file and, after "#", to a place in it.  No page takes a script,
a style, a font or a picture from elsewhere.  No link begins with "/": the site works under any
path, and from a folder.

``--pictures FOLDER`` also takes a picture of each page at two widths, with Debian's ``chromium``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDTHS = (1280, 420)
HEIGHT = 2400
# mkdocs serves this page for any path, so that its links begin at the root.
ANY_PATH = "404.html"


class Page(HTMLParser):
    """The places of a page, and where it leads to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in ("id", "name"):
                self.places.add(value)
            elif name == "src" or (name == "href" and tag == "link"):
                self.parts.append(value)
            elif name == "href":
                self.links.append(value)


def problems(site: Path) -> list[str]:
    """Say what is wrong with the pages of a site, a line each."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site} holds no page"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        found += [f"{name}: from elsewhere: {part}" for part in page.parts if urlsplit(part).netloc]
        if str(name) == ANY_PATH:
            continue
        for link in [*page.links, *page.parts]:
            wrong = _wrong(link, path, pages)
            if wrong:
                found.append(f"{name}: {wrong}: {link}")
    return found


def _wrong(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    url = urlsplit(link)
    if url.scheme or url.netloc:
        return None
    if url.path.startswith("/"):
        return "begins at the root of the server"
    target = (path.parent / unquote(url.path)).resolve() if url.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "leads nowhere"
    place = unquote(url.fragment)
    if place and target in pages and place not in pages[target].places | {"__top"}:
        return "leads to no place of the page"
    return None


def pictures(site: Path, folder: Path) -> str:
    """Take a picture of each page at each width; say what was done."""
    browser = shutil.which("chromium")
    if browser is None:
        return "no pictures: chromium is not installed"
    count = 0
    for path in sorted(site.rglob("*.html")):
        for width in WIDTHS:
            name = "-".join(path.relative_to(site).with_suffix("").parts)
            target = folder / f"{name}-{width}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            command += ["--virtual-time-budget=4000", f"--window-size={width},{HEIGHT}"]
            command += [f"--screenshot={target}", path.resolve().as_uri()]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            count += target.exists()
    return f"{count} pictures in {folder}"


def main() -> int:
    parser = argparse.ArgumentParser(description="check the built documentation")
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    found = problems(given.site)
    for line in found:
        print(line)
    if given.pictures is not None:
        print(pictures(given.site, given.pictures))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
