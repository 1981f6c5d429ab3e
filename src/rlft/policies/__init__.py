"""Policies: each makes decisions and can say how likely each one was. Every modality lives here and nowhere else."""
