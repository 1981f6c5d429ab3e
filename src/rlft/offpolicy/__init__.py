"""Learning from a buffer: its parts, and the loop that puts them together. Not the Trainer of whole rollouts.

buffer        transitions, windows of them, offline and online data in one batch
critics       ensembles side by side             values        next values, targets, errors
conservative  CQL's and Cal-QL's terms            actors        how a policy learns from critics
search        actions sought by value             dual          weights that adjust themselves
collector     worlds played into a buffer         learner       the loop, in phases
"""
