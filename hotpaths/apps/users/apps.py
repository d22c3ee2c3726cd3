"""Django's name for the application."""

from __future__ import annotations

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Labelled `users` wherever it is installed."""

    name = "hotpaths.apps.users"
    label = "users"
    default_auto_field = "django.db.models.BigAutoField"
