"""Claims tested: arms times seeds, run side by side, judged, and kept as results, pages and the catalogue.

    arms, declared       a recipe's claim, and whether it still is what a result was made of
    cells, runner        one arm with one seed, and many of them side by side
    reproduce            from a claim to its result
    results, page        the committed results, one JSON file a system, and the page made of each
    catalogue            the systems and the state of each

What is claimed, and what counts, is declared with `rlft.evidence`; nothing here trains anything itself.
"""
