"""Evidence: a paper's claim, declared before it is run, and what came out of it, for every seed.

    claim        what is claimed, by which arms it is tested, and what would count
    statistics   means over seeds and their intervals
    runner       arms x seeds, resumable, side by side
    verdict      the declared statements, judged by the measured numbers
    results      the committed results, one JSON file a system
    catalogue    the 61 systems, and the state of each, read from those files
    page         a system's page, from its result

Nothing here trains anything or knows what kind of model a recipe has: that is the recipe's business.
"""
