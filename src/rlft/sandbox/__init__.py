"""Processes on the side that run what must not run here: one protocol for a child, and the children.

Children keep accidents away from the run. They are not yet a jail: a program that means harm is not held.
"""

from pathlib import Path

SCRIPTS = Path(__file__).parent
"""Where the children's programs lie, which run beside this process and are not imported by it."""
