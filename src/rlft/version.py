"""The library's version, for whoever writes it down. Nothing else."""

__version__ = "0.1.0"
