"""Policies made of policies: mixes of scores, and pairs that act in turn."""
