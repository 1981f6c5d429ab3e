"""Rewards that ask a served language model: what is sent, how often, what its replies mean. Serves and trains none."""
