"""The query parameters of a page."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, ClassVar, TypedDict

from fastapi import Query

# So that the number of the first row fits the databases' 64 bits.
_MOST = 2**31 - 1


class PageArguments(TypedDict):
    """Keyword arguments of ``session.paginate()``."""

    page: int
    per_page: int
    max_per_page: int


class PageParams:
    """``page`` and ``per_page`` of a request: ``pages: Annotated[PageParams, Depends()]``.

    Then ``await session.paginate(statement, **pages.arguments)``.  Both are at least 1;
    ``per_page`` is at most 100, and 20 when it is not given.  OpenAPI says so, and FastAPI answers
    anything else with 422.  Other limits are a subclass::

        class WidePages(PageParams, per_page=100, max_per_page=1000):
            pass

    :raises ValueError: on making a subclass, for limits that contradict each other.
    """

    __slots__ = ("page", "per_page")

    default_per_page: ClassVar[int] = 20
    max_per_page: ClassVar[int] = 100

    def __init_subclass__(
        cls, *, per_page: int | None = None, max_per_page: int | None = None, **kwargs: Any
    ) -> None:
        """Set the given limits; the base class has the others."""
        super().__init_subclass__(**kwargs)
        most = cls.max_per_page = max_per_page if max_per_page is not None else cls.max_per_page
        usual = cls.default_per_page = per_page if per_page is not None else cls.default_per_page
        if not 1 <= usual <= most <= _MOST:
            raise ValueError(
                f"{cls.__name__}: per_page={usual} is not between 1 and max_per_page={most}, or "
                f"that is more than {_MOST}. Give both: class {cls.__name__}(PageParams, "
                f"per_page=20, max_per_page=100)."
            )
        _declare(cls)

    def __init__(self, page: int = 1, per_page: int | None = None) -> None:
        self.page = page
        self.per_page = self.default_per_page if per_page is None else per_page

    @property
    def arguments(self) -> PageArguments:
        """The keyword arguments for ``session.paginate()``."""
        return {"page": self.page, "per_page": self.per_page, "max_per_page": self.max_per_page}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(page={self.page}, per_page={self.per_page})"


def _declare(cls: type[PageParams]) -> None:
    """Write the limits where FastAPI reads them: into the signature."""
    page = Annotated[int, Query(ge=1, le=_MOST, description="The number of the page, from 1.")]
    per_page = Annotated[
        int, Query(ge=1, le=cls.max_per_page, description="How many items make a page.")
    ]
    parameters = [
        inspect.Parameter("page", _KIND, default=1, annotation=page),
        inspect.Parameter("per_page", _KIND, default=cls.default_per_page, annotation=per_page),
    ]
    cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]


_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD

_declare(PageParams)
