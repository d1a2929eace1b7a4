"""Spans of sessions, calls and retries, and metrics of sessions and pools, for OpenTelemetry.

Needs the extra ``opentelemetry``, which is its API; the SDK and an exporter are the application's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.observers import (
    BeginEvent,
    CommitEvent,
    DiscardEvent,
    Event,
    RetryEvent,
    RollbackEvent,
    StatementEvent,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla import AsyncSessionFactory, SessionFactory

__all__ = ("Instrumentation", "instrument")

_NAME = "naked_sqla"
# sessions whose end is awaited; one that nobody ends is forgotten after so many others
_MOST = 10_000


def instrument(
    db: AsyncSessionFactory | SessionFactory,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Instrumentation:
    """Report what the sessions of a factory do, until :meth:`Instrumentation.stop`.

    :param db: the factory.
    :param tracer_provider: makes the spans; left out: the application's global one.
    :param meter_provider: makes the metrics; left out: the application's global one.
    """
    return Instrumentation(db, tracer_provider, meter_provider)


class Instrumentation:
    """Reports what the sessions of a factory do; :func:`instrument` makes it.

    Spans: ``naked_sqla.session`` from BEGIN to its end, with ``naked_sqla.outcome``; within it
    one for each call, as ``naked_sqla.scalars``; ``naked_sqla.retry`` for each failed attempt.

    Metrics: ``db.client.operation.duration`` (seconds, of calls), ``naked_sqla.sessions`` (by
    outcome), ``naked_sqla.retries``, ``naked_sqla.discards``; of the pools
    ``db.client.connection.count`` (idle and used) and ``db.client.connection.max``.
    """

    def __init__(
        self,
        db: Any,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, version(_NAME), tracer_provider)
        self._open: OrderedDict[tuple[int | None, Engine], Span] = OrderedDict()
        self._make_metrics(metrics.get_meter(_NAME, version(_NAME), meter_provider))
        self._observation = db.observe(self._observe)
        self._engines: list[Engine] = list(self._observation.engines)

    def stop(self) -> None:
        """Report nothing any more."""
        self._observation.stop()
        self._engines = []

    def _make_metrics(self, meter: metrics.Meter) -> None:
        self._engines = []
        self._durations = meter.create_histogram(
            "db.client.operation.duration", "s", "Duration of calls."
        )
        self._sessions = meter.create_counter(
            "naked_sqla.sessions", "{session}", "Sessions that have ended, by outcome."
        )
        self._retries = meter.create_counter(
            "naked_sqla.retries", "{attempt}", "Attempts that failed and were followed by another."
        )
        self._discards = meter.create_counter(
            "naked_sqla.discards", "{connection}", "Connections that were thrown away."
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.count",
            [self._connections],
            "{connection}",
            "Connections of the pool, by state.",
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.max",
            [self._limits],
            "{connection}",
            "The most connections that the pool opens.",
        )

    def _connections(self, _: CallbackOptions) -> Iterable[Observation]:
        for engine in self._engines:
            for state, method in (("idle", "checkedin"), ("used", "checkedout")):
                count: Callable[[], int] | None = getattr(engine.pool, method, None)
                if count is not None:
                    yield Observation(count(), {**_of(engine), "db.client.connection.state": state})

    def _limits(self, _: CallbackOptions) -> Iterable[Observation]:
        for engine in self._engines:
            most = connections.most_of(engine.pool)
            if most is not None:
                yield Observation(most, _of(engine))

    def _observe(self, event: Event) -> None:
        if isinstance(event, BeginEvent):
            span = self._span("session", event, contexts.get_current(), SpanKind.INTERNAL)
            if event.error is None:
                self._open[event.session, event.engine] = span
                if len(self._open) > _MOST:
                    self._open.popitem(last=False)
            else:
                _end(span, event)
        elif isinstance(event, StatementEvent):
            self._statement(event)
        elif isinstance(event, CommitEvent | RollbackEvent):
            self._ended(event)
        elif isinstance(event, RetryEvent):
            span = self._span("retry", event, contexts.get_current(), SpanKind.INTERNAL)
            span.set_attribute("naked_sqla.attempt", event.attempt)
            span.set_attribute("naked_sqla.wait", event.wait)
            _end(span, event)
            self._retries.add(1, _of(event.engine))
        elif isinstance(event, DiscardEvent):
            self._discards.add(1, {**_of(event.engine), **_error(event)})

    def _statement(self, event: StatementEvent) -> None:
        session = self._open.get((event.session, event.engine))
        around = contexts.get_current()
        if session is not None:
            around = trace.set_span_in_context(session, around)
        span = self._span(event.call, event, around, SpanKind.CLIENT)
        span.set_attribute("db.operation.name", event.call)
        if event.sql:
            span.set_attribute("db.query.text", "; ".join(event.sql))
        _end(span, event)
        self._durations.record(
            event.duration,
            {**_of(event.engine), **_error(event), "db.operation.name": event.call},
        )

    def _ended(self, event: CommitEvent | RollbackEvent) -> None:
        span = self._open.pop((event.session, event.engine), None)
        if span is None:
            return
        span.set_attribute("naked_sqla.outcome", event.outcome)
        _end(span, event)
        self._sessions.add(1, {**_of(event.engine), "naked_sqla.outcome": event.outcome})

    def _span(self, name: str, event: Event, around: Any, kind: SpanKind) -> Span:
        attributes: dict[str, Any] = _of(event.engine)
        if event.session is not None:
            attributes["naked_sqla.session"] = event.session
        if event.file is not None and event.line is not None:
            attributes["code.file.path"] = event.file
            attributes["code.line.number"] = event.line
        return self._tracer.start_span(
            f"{_NAME}.{name}", around, kind, attributes, start_time=int(event.started * 1e9)
        )


def _of(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = {"db.system.name": backend_of(engine.dialect).name}
    if engine.url.database:
        found["db.namespace"] = engine.url.database
    return found


def _error(event: Event) -> dict[str, str]:
    return {} if event.error is None else {"error.type": type(event.error).__qualname__}


def _end(span: Span, event: Event) -> None:
    if event.error is not None:
        span.set_attribute("error.type", type(event.error).__qualname__)
        # the message may show parameters: the exception itself is the application's to report
        span.set_status(Status(StatusCode.ERROR))
    span.end(int((event.started + event.duration) * 1e9))
