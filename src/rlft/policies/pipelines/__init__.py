"""Pipelines of `diffusers` as policies: a decision is a denoising step of a model that others have trained.

`pipeline` is the policy, `family` what a family of pipelines says for itself, one file each, and `folder` what is read
and written so that `diffusers` reads it too.
"""
