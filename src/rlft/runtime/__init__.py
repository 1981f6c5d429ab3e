"""Where it runs. `local` is the specification; `torchrun` gives the same numbers on many processes, `ray` with many
that draw and one that learns."""
