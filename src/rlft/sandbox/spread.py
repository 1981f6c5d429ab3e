"""Jobs for several workers, of which each does one at a time."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Worker = TypeVar("Worker")
Job = TypeVar("Job")
Result = TypeVar("Result")


def spread(workers: Sequence[Worker], act: Callable[[Worker, Job], Result], jobs: Sequence[Job]) -> list[Result]:
    """What `act` makes of each job, in their order; each goes to a worker that is idle then.

    A thread waits for each worker. What `act` raises is raised once the others have ended.
    """
    if not jobs:
        return []
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def done(job: Job) -> Result:
        worker = idle.get()
        try:
            return act(worker, job)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(done, jobs))
