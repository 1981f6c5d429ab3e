"""Training data that models write: topics, problems for each, validation by others, worked answers, a folder of it all.

After CHIMERA, "Compact Synthetic Data for Generalizable LLM Reasoning", whose steps these are.
"""
