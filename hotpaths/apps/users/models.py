"""The only model."""

from __future__ import annotations

from django.db import models


class User(models.Model):
    """A row of the table that `database.prepare` fills."""

    name = models.CharField(max_length=80)
    email = models.CharField(max_length=120)

    class Meta:
        app_label = "users"
        db_table = "users"
        managed = False
