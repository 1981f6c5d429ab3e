"""Policies that refine a state step by step: diffusion, flow and masked diffusion."""
