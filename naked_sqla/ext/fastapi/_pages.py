"""The query parameters of a page."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, ClassVar, TypedDict

from fastapi import Query

# So that the number of the first row fits the databases' 64 bits.
_MOST = 2**31 - 1

# What OpenAPI says of a cursor; the parameter is known by it.
AFTER = "The next_cursor of the previous page."


class PageArguments(TypedDict):
    """Keyword arguments of ``session.paginate()``."""

    page: int
    per_page: int
    max_per_page: int


class _Limits:
    """The limits of a page's size, which a subclass may set, and the signature that tells them."""

    __slots__ = ("per_page",)

    default_per_page: ClassVar[int] = 20
    max_per_page: ClassVar[int] = 100

    # the parameters besides per_page
    _own: ClassVar[tuple[inspect.Parameter, ...]]

    per_page: int

    def __init_subclass__(
        cls, *, per_page: int | None = None, max_per_page: int | None = None, **kwargs: Any
    ) -> None:
        """Set the limits that are given; the others are those of the base."""
        super().__init_subclass__(**kwargs)
        most = cls.max_per_page = max_per_page if max_per_page is not None else cls.max_per_page
        usual = cls.default_per_page = per_page if per_page is not None else cls.default_per_page
        if not 1 <= usual <= most <= _MOST:
            raise ValueError(
                f"{cls.__name__}: per_page={usual} is not between 1 and max_per_page={most}, or "
                f"that is more than {_MOST}. Give both: class {cls.__name__}"
                f"({cls.__mro__[1].__name__}, per_page=20, max_per_page=100)."
            )
        size = Annotated[int, Query(ge=1, le=most, description="The number of items on a page.")]
        # where FastAPI reads the limits
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*cls._own, _parameter("per_page", size, usual)]
        )


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation
    )


class PageParams(_Limits):
    """``page`` and ``per_page`` of a request: ``pages: Annotated[PageParams, Depends()]``.

    Pass them on: ``await session.paginate(statement, **pages.arguments)``. Both are at least 1.
    ``per_page`` is at most 100, and 20 by default. The limits are in the OpenAPI schema, and
    FastAPI answers any other value with 422. To set other limits, make a subclass::

        class WidePages(PageParams, per_page=100, max_per_page=1000):
            pass

    :param page: the number of the page, from 1.
    :param per_page: the number of items on a page; ``None``: the default of the class.
    :raises ValueError: a subclass is made with limits that contradict each other.
    """

    __slots__ = ("page",)

    _own = (
        _parameter(
            "page",
            Annotated[int, Query(ge=1, le=_MOST, description="The number of the page, from 1.")],
            1,
        ),
    )

    def __init__(self, page: int = 1, per_page: int | None = None) -> None:
        self.page = page
        self.per_page = self.default_per_page if per_page is None else per_page

    @property
    def arguments(self) -> PageArguments:
        """The keyword arguments for ``session.paginate()``."""
        return {"page": self.page, "per_page": self.per_page, "max_per_page": self.max_per_page}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(page={self.page}, per_page={self.per_page})"


class CursorArguments(TypedDict):
    """Keyword arguments of ``session.keyset()``."""

    after: str | None
    before: str | None
    per_page: int
    max_per_page: int


class CursorParams(_Limits):
    """``after``, ``before`` and ``per_page`` of a request: ``Annotated[CursorParams, Depends()]``.

    Pass them on: ``await session.keyset(statement, **pages.arguments)``. The limits of
    ``per_page``, and subclasses with other limits, are as in :class:`PageParams`. A cursor that
    does not belong to the statement raises ``InvalidCursor``, and so do two cursors.
    ``install(not_found=True)`` answers that with 400.

    :param after: the ``next_cursor`` of the previous page.
    :param before: the ``prev_cursor`` of the next page.
    :param per_page: the number of items on a page; ``None``: the default of the class.
    :raises ValueError: a subclass is made with limits that contradict each other.
    """

    __slots__ = ("after", "before")

    _own = (
        _parameter(
            "after",
            Annotated[str | None, Query(description=AFTER)],
            None,
        ),
        _parameter(
            "before",
            Annotated[str | None, Query(description="The prev_cursor of the next page.")],
            None,
        ),
    )

    def __init__(
        self, after: str | None = None, before: str | None = None, per_page: int | None = None
    ) -> None:
        self.after = after
        self.before = before
        self.per_page = self.default_per_page if per_page is None else per_page

    @property
    def arguments(self) -> CursorArguments:
        """The keyword arguments for ``session.keyset()``."""
        return {
            "after": self.after,
            "before": self.before,
            "per_page": self.per_page,
            "max_per_page": self.max_per_page,
        }

    def __repr__(self) -> str:
        shown = f"after={self.after!r}, before={self.before!r}, per_page={self.per_page}"
        return f"{type(self).__name__}({shown})"
