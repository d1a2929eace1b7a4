"""Benchmarks: what a row costs as a plain object, next to what it costs otherwise.

Run ``python -m benchmarks run`` (``--quick`` for a look, ``--driver`` for one driver) and
``python -m benchmarks legacy`` for naked-sqla 0.1.0 of 2024, an earlier, separate library. Results
are written to ``benchmarks/results``: JSON with every figure, a Markdown table, an SVG chart.

What each contender does, for each shape, once per measured operation:

bare driver
    One open driver connection, the SQL as a string, BEGIN and COMMIT where the driver has them,
    values that the driver does not convert converted by hand, and a hand-written class with
    ``__slots__`` built for each row. No pool, no SQLAlchemy. The floor.
Core, by position
    ``async with engine.begin() as conn``, ``select(table)``, ``result.all()``, then ``row[0]``,
    ``row[1]``... The baseline: every ratio is a ratio to this. ``all()`` is used because it is
    the faster way; "iterated" below is the same with ``for row in result``.
Core, by position, again
    The very same thing measured a second time. Its ratio should be 1.00, and how far it is from
    1.00 is the noise of the run.
Core, unpacked
    The same with ``for a, b, c, d in result.all()``: the cheapest way to read a Core row.
Core, iterated
    The same with ``for row in result`` in place of ``all()``.
Core, by name
    The same with ``row.id``, ``row.name``...
Core, hand-written objects
    The same with a class written by hand, with ``__slots__``, built of each row of ``all()``: what
    one writes who wants objects and no mapper. ``obj.id``, ``obj.name``... are read.
ORM AsyncSession
    ``async with async_sessionmaker(engine, expire_on_commit=False).begin() as session``,
    ``select(Model)``, ``session.scalars(...).all()``, then ``obj.id``, ``obj.name``...
naked_sqla
    ``async with AsyncSessionFactory(engine).begin() as session`` and the ORM contender's code,
    letter for letter.
naked-sqla 0.1.0 (2024)
    The same code again, with the earlier, separate library of that name on PyPI, in a process and
    an environment of its own (it has the same import name, and needs SQLAlchemy 2.0). It is
    compared through its ratio to Core, measured in that same process.

The scenes (one statement without a block, ``get``, eager loading, ``into``) have contenders of
their own, told in ``single.py``, ``eagerly.py`` and ``filling.py``; streaming is told in
``streaming.py``, the longest wait of other tasks in ``waits.py``.

Fairness: all processes, the server's too, stay on one processor, so that no contender's connection
has to wake one on another processor and another contender's has not (Linux only). Every contender
has an engine of its own, all configured alike and warmed up. Reads are
checked first: all contenders must return the same plain values, writes must leave the same table
behind, or the run stops. Every attribute of every object is read, inside the transaction. In each
round every contender is timed once, in random order, with the garbage collector off; it runs
between rounds. Right before that each contender runs once untimed: five of nine run Core's code,
which would otherwise be alone in the processor's caches. A ratio is the median of the rounds'
ratios, with its bootstrap interval: a machine that is busy for a while slows all contenders of a
round alike.
"""
