"""The only door to private or version-dependent SQLAlchemy names, each with its reason.

Nothing else in the package may import an underscored SQLAlchemy name, or read an underscored
attribute of an SQLAlchemy object.  One file a topic.  When a SQLAlchemy release moves a name, this
is where it is followed, and ``tests/test_public.py`` says which name is gone.
"""
