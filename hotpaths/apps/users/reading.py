"""The query behind `/orm`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hotpaths import contract
from hotpaths.apps.users import database

if TYPE_CHECKING:
    from hotpaths.apps.users.models import User


def configure() -> None:
    """Sets Django up for this table alone, where the framework is not Django."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            INSTALLED_APPS=["hotpaths.apps.users.apps.UsersConfig"],
            DATABASES=databases(),
            USE_TZ=True,
            LOGGING_CONFIG=None,
        )
        django.setup()


def databases() -> dict[str, dict[str, Any]]:
    """Django's DATABASES; the table is there when this returns.

    The connection is kept for the life of its thread: opening it is not what is measured.
    """
    return {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(database.prepare(database.path())),
            "CONN_MAX_AGE": None,
        }
    }


def describe(rows: Iterable[User]) -> dict[str, Any]:
    """Reads the rows and puts them as `contract.orm_document` does."""
    return {"users": [{"id": row.pk, "name": row.name, "email": row.email} for row in rows]}


def first_users() -> dict[str, Any]:
    """The first rows by id, through the ORM. Blocks."""
    # Django must be set up before a model can be imported.
    from hotpaths.apps.users.models import User

    return describe(User.objects.order_by("id")[: contract.ORM_ROWS])
