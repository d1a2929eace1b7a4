"""The table of users for Tortoise, which looks for its models in a module."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class TortoiseUser(Model):
    """Four columns."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=50)
    email = fields.CharField(max_length=100)
    age = fields.IntField(null=True)

    class Meta:
        """Where it is."""

        table = "users"
