"""Language policies: any causal language model, whose decisions are tokens.

policy       `Language`: draws tokens, says how likely they were, is saved and loaded
sampling     the distribution tokens are drawn from, and drawing them
rows         rows that have begun and go on
scoring      hidden states and log-probabilities of chosen tokens
passes, layout, segments     which rows share a forward pass, and how they lie in it
text         prompts in, completions out
folder, load what is written and what is loaded
engines/     what runs the model: our own code over its weights, or the model's
"""
