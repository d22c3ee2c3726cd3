"""A small Django project without middleware: the contract has no session, no form and no page.

`HOTPATHS_LOG_LEVEL=WARNING` quiets Django's own messages; unset, logging is what a new project gets.
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
INSTALLED_APPS = ["hotpaths.apps.users.apps.UsersConfig"]
DATABASES = databases()
TIME_ZONE = "UTC"
USE_TZ = True

if level := os.environ.get("HOTPATHS_LOG_LEVEL"):
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"django": {"handlers": ["console"], "level": level}},
    }
