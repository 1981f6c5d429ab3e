"""Tasks: seeded sources of problems, a class a file. `rlft.options.task` finds one by what stands on a command line.

A task has a name, a split, a size (None without end) and `at(index)`; it may carry the `reward` it was made for.
"""
