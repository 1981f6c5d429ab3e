"""The loop, and what it is made of: rewards given and checked, numbers logged, problems in their order, evaluation.

    trainer    problems → sample → reward → collect → credit → update
    ahead      rows drawn before their turn, and rewarded meanwhile
    score      a reward over a batch, checked
    ledger     what a step logs
    still      a policy as it is now, to measure from
    stream     the order in which a task's problems come
    evaluate   how good a policy is on problems
    pending    a step's rollouts on their way into a checkpoint

No file is written here, and nothing knows what a policy is made of.
"""
