"""A small web service over the flights: FastAPI, on SQLite or PostgreSQL.

``make service`` runs it, or, where FastAPI and uvicorn are installed::

    uvicorn --factory examples.service.app:create_app

Then look at http://127.0.0.1:8000.  From top to bottom: ``app`` puts the parts together;
``board`` has a page for browsers, ``airlines``, ``flights``, ``trips``, ``transfer`` and ``health``
have the other routes; ``schemas`` says what comes in and goes out; ``database`` makes the engine
and runs the ``migrations``, and ``settings`` reads the environment.
"""
