"""The bundled Django project as a ASGI application: `uvicorn asgi:application`, from this folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The project reads `hotpaths.contract`, which is not installed in every interpreter it is served by.
sys.path.append(str(Path(__file__).resolve().parents[3]))
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

from django.core.asgi import get_asgi_application

application = get_asgi_application()
