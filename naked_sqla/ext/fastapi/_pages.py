"""The query parameters of a page."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, ClassVar, TypedDict

from fastapi import Query

# So that the number of the first row fits the databases' 64 bits.
_MOST = 2**31 - 1

# What OpenAPI says of a cursor; the parameter is known by it.
AFTER = "The next_cursor of the page before."


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
        size = Annotated[int, Query(ge=1, le=most, description="How many items make a page.")]
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

    Then ``await session.paginate(statement, **pages.arguments)``.  Both are at least 1;
    ``per_page`` is at most 100, and 20 when it is not given.  OpenAPI says so, and FastAPI answers
    anything else with 422.  Other limits are a subclass::

        class WidePages(PageParams, per_page=100, max_per_page=1000):
            pass

    :param page: the number of the page, from 1.
    :param per_page: how many items make a page; ``None``: the usual number of the class.
    :raises ValueError: on making a subclass, for limits that contradict each other.
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
        """What ``session.paginate()`` takes."""
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
    """``after``, ``before`` and ``per_page`` of a request.

    ``pages: Annotated[CursorParams, Depends()]``, then
    ``await session.keyset(statement, **pages.arguments)``.  The limits of ``per_page`` are those of
    :class:`PageParams`, as is the subclass for others.  A cursor that is of no use, and two, raise
    ``InvalidCursor``, which ``install(not_found=True)`` answers with 400.

    :param after: the ``next_cursor`` of the page before.
    :param before: the ``prev_cursor`` of the page after.
    :param per_page: how many items make a page; ``None``: the usual number of the class.
    :raises ValueError: on making a subclass, for limits that contradict each other.
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
            Annotated[str | None, Query(description="The prev_cursor of the page after.")],
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
        """What ``session.keyset()`` takes."""
        return {
            "after": self.after,
            "before": self.before,
            "per_page": self.per_page,
            "max_per_page": self.max_per_page,
        }

    def __repr__(self) -> str:
        shown = f"after={self.after!r}, before={self.before!r}, per_page={self.per_page}"
        return f"{type(self).__name__}({shown})"
