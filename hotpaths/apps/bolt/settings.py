"""A small Django-Bolt project with the framework's own defaults.

`HOTPATHS_LOG_LEVEL=WARNING` quiets the access log; unset, logging is what a new project gets.
"""

from __future__ import annotations

import os
from pathlib import Path

from hotpaths.apps.users.reading import databases

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "for-measurements-on-this-machine-only"  # No session or signature is ever made with it.
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django_bolt", "hotpaths.apps.users.apps.UsersConfig"]
DATABASES = databases()
BOLT_API = ["api:api"]
TIME_ZONE = "UTC"
USE_TZ = True

if level := os.environ.get("HOTPATHS_LOG_LEVEL"):
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": level} for name in ("django", "django.server", "django_bolt")},
    }
