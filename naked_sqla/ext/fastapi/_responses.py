"""Response models for pages, with links to the pages beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from typing import Self

    from starlette.requests import Request

    from naked_sqla.pages.pagination import Keyed, Numbered

T = TypeVar("T")


class NumberedLinks(BaseModel):
    """Addresses of other pages: paths with a query, without the server; ``None``: no such page."""

    first: str
    prev: str | None
    next: str | None
    last: str | None


class NumberedPage(BaseModel, Generic[T]):
    """A response for a numbered page: ``response_model=NumberedPage[UserOut]``.

    Return ``NumberedPage[UserOut].of(page, request)`` for a page of ``session.paginate()``. The
    items may be objects: ``UserOut`` takes its fields from their attributes.
    """

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    page: int
    per_page: int
    total: int | None
    pages: int | None
    links: NumberedLinks

    @classmethod
    def of(cls, page: Numbered[Any], request: Request) -> Self:
        """Make the response for a page.

        :param page: a page of ``session.paginate()``.
        :return: the response, with the links to the first, previous, next and last page.
        :raises ValidationError: an item does not fit the model; pydantic's error.
        """

        def to(number: int | None) -> str | None:
            return None if number is None else _address(request, page=number)

        return cls.model_validate(
            {
                "items": page.items,
                "page": page.page,
                "per_page": page.per_page,
                "total": page.total,
                "pages": page.pages,
                "links": {
                    "first": to(1),
                    "prev": to(page.prev_num),
                    "next": to(page.next_num),
                    "last": to(page.pages or None),
                },
            },
            from_attributes=True,
        )


class CursorLinks(BaseModel):
    """Addresses of the previous and the next page, without the server; ``None``: no such page."""

    prev: str | None
    next: str | None


class CursorPage(BaseModel, Generic[T]):
    """A response for a page by key: ``response_model=CursorPage[UserOut]``.

    Return ``CursorPage[UserOut].of(page, request)`` for a page of ``session.keyset()``.
    """

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next_cursor: str | None
    prev_cursor: str | None
    links: CursorLinks

    @classmethod
    def of(cls, page: Keyed[Any], request: Request) -> Self:
        """Make the response for a page.

        :param page: a page of ``session.keyset()``.
        :return: the response, with its cursors and the links to the previous and the next page.
        :raises ValidationError: an item does not fit the model; pydantic's error.
        """
        after, before = page.next_cursor, page.prev_cursor
        return cls.model_validate(
            {
                "items": page.items,
                "next_cursor": after,
                "prev_cursor": before,
                "links": {
                    "next": after and _address(request, after=after, before=None),
                    "prev": before and _address(request, before=before, after=None),
                },
            },
            from_attributes=True,
        )


def _address(request: Request, **parameters: Any) -> str:
    """The address of the request with other parameters; without those that are None."""
    url = request.url.remove_query_params(list(parameters))
    url = url.include_query_params(
        **{name: value for name, value in parameters.items() if value is not None}
    )
    return f"{url.path}?{url.query}" if url.query else url.path
