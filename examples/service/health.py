"""Whether the service can do its work."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy import literal, select
from sqlalchemy.exc import SQLAlchemyError

from .database import Database

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(db: Database) -> dict[str, str]:
    """Ask the database; 503 when it does not answer, or has no connection free."""
    try:
        await db.scalar(select(literal(1)))
    # asyncpg raises an OSError when the server is down.
    except (SQLAlchemyError, OSError) as error:
        raise HTTPException(503, f"no database: {type(error).__name__}") from error
    return {"status": "ok"}
