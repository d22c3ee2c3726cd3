"""Django's command line for the bundled Django project."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Runs one management command."""
    # The project reads `hotpaths.contract`, which is not installed in every interpreter it is served by.
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
