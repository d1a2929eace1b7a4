"""Print docstrings in the words of the synchronous face."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from tools.words import FOREIGN, CannotPrint, words

WIDTH = 100


def docstring(text: str, indent: int) -> str:
    """One docstring, with its quotes."""
    lines: list[str] = []
    for number, paragraph in enumerate(_paragraphs(text)):
        said = "\n".join(paragraph)
        new = words(said)
        if number and FOREIGN.search(new):
            if said.endswith('"""'):
                raise CannotPrint(f"a docstring ends in what is left out:\n{text}")
            continue
        lines += paragraph if new == said else _filled(new.split("\n"), indent)
    while len(lines) > 1 and not lines[-2].strip():
        del lines[-2]
    if len(lines) == 2 and lines[1].strip() == '"""':
        return "".join((lines[0], lines[1].strip()))
    return re.sub(r"\n\n\n+", "\n\n", "\n".join(lines))


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Yield what is filled as one: a paragraph, a field such as ``:param x:``, the quotes."""
    paragraph: list[str] = []
    for line in text.split("\n"):
        if paragraph and (not line.strip() or line.lstrip().startswith((":param", ":rai", ":ret"))):
            yield paragraph
            paragraph = []
        if line.strip() in ("", '"""'):
            if paragraph:
                yield paragraph
                paragraph = []
            yield [line]
        else:
            paragraph.append(line)
    if paragraph:
        yield paragraph


def _filled(lines: list[str], indent: int) -> list[str]:
    """A paragraph filled again; one that is not indented like text stays as it is."""
    margin = " " * indent
    first = margin + lines[0] if lines[0].startswith('"""') else lines[0]
    hanging = margin + ("    " if first.lstrip().startswith(":") else "")
    if indented(first) != indent or any(indented(line) != len(hanging) for line in lines[1:]):
        return lines
    text = re.sub(r"(?<=[.!?])\n *", "  ", "\n".join([first.strip(), *lines[1:]]))
    text = re.sub(r"\n *", " ", text)
    # a literal stays on its line
    text = re.sub(r"``.+?``", lambda literal: literal[0].replace(" ", "\0"), text)
    filled = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=margin,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if lines[0].startswith('"""'):
        filled[0] = filled[0][indent:]
    return [line.replace("\0", " ") for line in filled]


def indented(line: str) -> int:
    """How many spaces a line begins with."""
    return len(line) - len(line.lstrip())
