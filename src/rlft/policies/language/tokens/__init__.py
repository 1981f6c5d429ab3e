"""Tokens drawn and scored: distributions, draws, log-probabilities, and how rows lie in a forward pass. No policy."""
