"""This machine and its user by their names: who has made a folder that names code. Decides nothing."""

from __future__ import annotations

import getpass
import os
import platform


def here() -> dict[str, str]:
    """The machine and its user, by their names."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        user = str(os.getuid())
    return {"host": platform.node(), "user": user}
