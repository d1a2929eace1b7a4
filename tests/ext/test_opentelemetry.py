"""OpenTelemetry: its instrumentation of SQLAlchemy goes on working, and ours beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, SessionFactory
from naked_sqla.ext.opentelemetry import Instrumentation, instrument


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "traced"

    id: Mapped[int] = mapped_column(primary_key=True)


class Traced:
    """What was reported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader])

    def instrument(self, db: Any) -> Instrumentation:
        return instrument(
            db, tracer_provider=self.tracer_provider, meter_provider=self.meter_provider
        )

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        data: Any = self.reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            found[metric.name] = [
                (
                    dict(point.attributes),
                    getattr(point, "value", None) or getattr(point, "count", 0),
                )
                for point in metric.data.data_points
            ]
        return found


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced()
    yield traced
    traced.tracer_provider.shutdown()
    traced.meter_provider.shutdown()


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


async def test_a_session_is_a_span_with_its_calls(db: AsyncSessionFactory, traced: Traced) -> None:
    instrumentation = traced.instrument(db)
    tracer = traced.tracer_provider.get_tracer("application")
    with tracer.start_as_current_span("request") as request:
        async with db.begin() as session:
            await session.execute(insert(Thing), [{"id": 1}])
            await session.scalars(select(Thing))
    instrumentation.stop()
    await db.scalars(select(Thing))
    write, read, whole, _ = traced.spans
    assert [span.name for span in traced.spans] == [
        "naked_sqla.execute",
        "naked_sqla.scalars",
        "naked_sqla.session",
        "request",
    ]
    assert whole.parent.span_id == request.get_span_context().span_id
    assert {span.parent.span_id for span in (write, read)} == {whole.context.span_id}
    assert whole.start_time <= write.start_time <= write.end_time <= whole.end_time
    assert whole.attributes["naked_sqla.outcome"] == "committed"
    assert whole.attributes["code.file.path"] == __file__
    assert write.attributes["db.query.text"].startswith("INSERT INTO traced")
    assert write.attributes["db.system.name"] == db.engine.dialect.name
    assert write.kind is SpanKind.CLIENT


async def test_failures_and_retries(db: AsyncSessionFactory, traced: Traced) -> None:
    traced.instrument(db)

    async def twice() -> None:
        async with db.begin() as session:
            await session.execute(insert(Thing), [{"id": 987654321}])
            await session.execute(insert(Thing), [{"id": 987654321}])

    with pytest.raises(IntegrityError):
        await twice()
    failed = traced.spans[1]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "IntegrityError"
    assert "987654321" not in failed.to_json()
    assert traced.spans[2].attributes["naked_sqla.outcome"] == "rolled_back"
    tried: list[int] = []

    async def work(session: Any) -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError

    traced.exporter.clear()
    await db.run(work, retry_on=OSError)
    assert [span.name for span in traced.spans] == [
        "naked_sqla.session",
        "naked_sqla.retry",
        "naked_sqla.session",
    ]
    assert traced.spans[1].attributes["naked_sqla.attempt"] == 1
    assert traced.metrics()["naked_sqla.retries"][0][1] == 1


async def test_metrics(db: AsyncSessionFactory, traced: Traced) -> None:
    traced.instrument(db)
    async with db.begin() as session:
        await session.scalars(select(Thing))
        found = traced.metrics()
        states = {
            attributes["db.client.connection.state"]: value
            for attributes, value in found["db.client.connection.count"]
        }
        assert states["used"] == 1
        assert found["db.client.connection.max"][0][1] >= 1
    found = traced.metrics()
    (attributes, count), *_ = found["db.client.operation.duration"]
    assert count == 1
    assert attributes["db.operation.name"] == "scalars"
    assert found["naked_sqla.sessions"][0][0]["naked_sqla.outcome"] == "committed"


def test_the_synchronous_face(sync_engine: Engine, traced: Traced) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    traced.instrument(db)
    with db.begin() as session:
        session.scalars(select(Thing))
    assert [span.name for span in traced.spans] == ["naked_sqla.scalars", "naked_sqla.session"]


async def test_the_instrumentation_of_sqlalchemy_goes_on_working(
    db: AsyncSessionFactory, traced: Traced
) -> None:
    instrumentor: Any = SQLAlchemyInstrumentor()
    # the package refuses 2.1 by its version, and works there
    newer = sqlalchemy.__version__ >= "2.1"
    instrumentor.instrument(
        engine=db.engine.sync_engine,
        tracer_provider=traced.tracer_provider,
        skip_dep_check=newer,
    )
    try:
        await db.execute(insert(Thing), [{"id": 1}])
        assert [thing.id for thing in await db.scalars(select(Thing))] == [1]
        async with db.begin() as session:
            await session.scalars(select(Thing))
            async with session.stream_scalars(select(Thing)) as things:
                assert [thing.id async for thing in things] == [1]
    finally:
        instrumentor.uninstrument()
    names = [span.name for span in traced.spans]
    assert sum(name.startswith("INSERT") for name in names) == 1
    assert sum(name.startswith("SELECT") for name in names) == 3
    assert all(span.end_time is not None for span in traced.spans)
