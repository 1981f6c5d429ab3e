"""Your own run of a pipeline of pictures or films from a folder or the hub: your prompts, your reward, any method.

`rlft train` is this recipe where `--model` is a pipeline of `diffusers`.
"""

from __future__ import annotations

from rlft.methods.grpo import grpo
from rlft.options.fitting import to_check
from rlft.options.learning import Adapting, HeldOut, Learning, run_of, trainer_of
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.pipelines.drawing import Drawing, Window
from rlft.policies.pipelines.folder import Reading
from rlft.policies.pipelines.load import load
from rlft.runs.drive import Run
from rlft.runs.folder import model_folder
from rlft.types import Method, Runtime

_SHOWN = 4  # held-out problems that the page shows before and after


def pictures(
    model: str,
    data: str,
    rewards: Rewards = Rewards(),
    method: Method = grpo(),
    learning: Learning = Learning(),
    drawing: Drawing = Drawing(),
    window: Window = Window(),
    reading: Reading = Reading(),
    adapting: Adapting = Adapting(),
    fields: Fields = Fields(),
    evaluated: HeldOut = HeldOut(eval_problems=32),
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Fine-tune a text-to-image pipeline with reinforcement learning.

    $ rlft train --model stabilityai/stable-diffusion-3.5-medium --data prompts.jsonl --reward reward.py:score --lora 32
    $ rlft train --model FOLDER --data prompts.jsonl --reward compressibility --window 2 --window-at random --same-start
    $ rlft train --model runs/first --data prompts.jsonl --reward reward.py:score

    The policy draws with noise and is evaluated without, as the pipeline draws. The last of these goes on with what the
    first has trained.

    Args:
        model: a folder, a hub id, an adapter's folder, or a run folder, whose trained model is taken.
        data: a JSONL, JSON, CSV or Parquet file of prompts, a saved data set or hub id.
        seed: of everything random.
    """
    task = load_task(data, fields)
    held_out = None if evaluated.eval_data is None else load_task(evaluated.eval_data, fields.held_out, split="test")
    reward = reward_of(rewards, task)
    recompute = adapting.gradient_checkpointing
    policy = load(model_folder(model), drawing, window, reading, lora=adapting.lora, recompute=recompute)
    for source in (task, *([] if held_out is None else [held_out])):
        policy.check(to_check(source))
    trainer = trainer_of(learning, policy, method, task, reward, seed=seed, runtime=runtime)
    return run_of(learning, trainer, held_out, evaluated, reward=reward, deploy=policy.deployed(), shown=_SHOWN)
