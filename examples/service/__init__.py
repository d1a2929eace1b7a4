"""A small web service over the flights: FastAPI, on SQLite or PostgreSQL.

``make service`` runs it, or, where FastAPI and uvicorn are installed::

    uvicorn --factory examples.service.app:create_app

Then look at http://127.0.0.1:8000/docs.  From top to bottom: ``app`` puts the parts together;
``airlines``, ``flights``, ``transfer`` and ``health`` have the routes; ``schemas`` says what comes
in and goes out; ``database`` makes the engine, and ``settings`` reads the environment.
"""
