"""Run folders: one run from its start, or from where it stopped, to its report. Decides nothing about training.

    run.json           how it was started: command, arguments, seed, versions, revision, machine, state
    metrics.jsonl      one line a step            samples.jsonl      some problems and their rows, every few steps
    evaluations.jsonl  held-out problems          checkpoints/       see `checkpoint`
    model/             the trained policy         report.html        everything on one page
"""
