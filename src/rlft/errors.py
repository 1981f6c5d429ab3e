"""The one error that is the user's to mend. Everything else that is raised is a fault of ours or of a reward."""


class UserError(Exception):
    """Something the user gave cannot work: what was given, what was expected, what to do. The tool exits with 2."""
