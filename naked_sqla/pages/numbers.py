"""Page numbers and page sizes, which come from clients."""

from __future__ import annotations

from typing import Any, TypeGuard

from naked_sqla.exception import PageNotFound

__all__ = ("numbers", "size")

_DEFAULT_SIZE = 20
# the largest number of a database: no page number and no page size is larger
LARGEST = 2**63 - 1


def numbers(page: Any, per_page: Any, max_per_page: Any, error_out: bool) -> tuple[int, int]:
    """The page and the items per page that were asked for.

    :param max_per_page: the limit that a larger ``per_page`` is cut down to; ``None`` for no limit.
    :param error_out: False gives the nearest sane value in place of an error.
    :raises PageNotFound: a number is not positive, or not whole.
    :raises TypeError: for a ``max_per_page`` that is not a whole number.
    :raises ValueError: for a ``max_per_page`` below 1.
    """
    _check_limit("paginate", max_per_page)
    if error_out:
        page, per_page = _positive("page", page), _positive("per_page", per_page)
    else:
        page, per_page = _sane(page, 1), _sane(per_page, _DEFAULT_SIZE)
    return page, _cut(per_page, max_per_page)


def size(per_page: Any, max_per_page: Any) -> int:
    """The items per page by key that were asked for; errors as in :func:`numbers`."""
    _check_limit("keyset", max_per_page)
    return _cut(_positive("per_page", per_page), max_per_page)


def _cut(per_page: int, max_per_page: int | None) -> int:
    return min(per_page, LARGEST - 2 if max_per_page is None else max_per_page)


def _check_limit(method: str, max_per_page: Any) -> None:
    if max_per_page is None:
        return
    if not _is_number(max_per_page):
        raise TypeError(
            f"{method}(max_per_page=...) takes a whole number or None, not {max_per_page!r}."
        )
    if max_per_page < 1:
        raise ValueError(
            f"{method}(max_per_page={max_per_page}): no page could hold an item. Pass a number "
            f"from 1 on, or None for no limit."
        )


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(name: str, value: Any) -> int:
    if not _is_number(value) or value < 1:
        shown = repr(value)
        if len(shown) > 60:
            shown = f"{shown[:60]}..."
        raise PageNotFound(
            f"{name}={shown} is not a positive whole number. Pass an int from 1 on, or "
            f"error_out=False for the nearest sane value."
            if name == "page"
            else f"{name}={shown} is not a positive whole number. Pass an int from 1 on."
        )
    number: int = value
    return number


def _sane(value: Any, default: int) -> int:
    """The nearest positive number; the default for anything that is not a number."""
    if isinstance(value, str) and value.isdecimal() and len(value) < len(str(LARGEST)):
        # query strings hold text
        return _sane(int(value), default)
    return min(max(value, 1), LARGEST - 2) if _is_number(value) else default
