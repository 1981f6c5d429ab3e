"""Environments: batched, seeded, step by step, on any device. Not tasks (which start to play) and not policies."""
