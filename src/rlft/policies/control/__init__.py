"""Control policies: a small network acts, a decision is an action or a chunk of them."""
