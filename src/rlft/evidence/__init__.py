"""Evidence, declared and judged: what a paper claims, what would count as seeing it, and what the numbers say.

    claim        what is claimed, by which arms it is tested, and what would count
    statistics   means over seeds and their intervals
    verdict      the declared statements, judged by the measured numbers

Nothing here runs anything (`rlft.reproduce` does) or knows what kind of model a recipe has.
"""
