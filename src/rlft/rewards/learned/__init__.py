"""Rewards that were learned from data: scorers, classifiers, verifiers, and how they are fitted."""
