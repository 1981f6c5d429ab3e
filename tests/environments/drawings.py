"""Maps as they are drawn: `#` is a wall."""

import numpy as np


def free(drawing):
    """True where one can stand."""
    return np.array([[mark != "#" for mark in line] for line in drawing.split()])


TWO = free("""
#########
#...#...#
#.......#
#...#...#
#########
""")
