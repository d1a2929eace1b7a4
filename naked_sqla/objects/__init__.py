"""Loaded objects: naked classes, their attributes, conversion to and from the ORM."""
