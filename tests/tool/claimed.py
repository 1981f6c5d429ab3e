"""The words of a claim's command at full size, with other values for files and sizes."""

import shlex


def exchanged(command, values, besides=()):
    """The words behind `rlft`, with these values of options in place of the claim's; an option of `besides` that the
    claim does not name stands behind, with its value."""
    start, *told = shlex.split(command)
    assert start == "rlft"
    told = [values.get(before, word) for before, word in zip([None, *told], told, strict=False)]
    return [*told, *(word for name in besides if name not in told for word in (name, values[name]))]
