"""Your own run in several stages: SFT, RL, data of the model's own, merging, as a file says (`options.plan`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rlft.measure.difficulty import by_column
from rlft.measure.text import text_measures
from rlft.options import plan as plans
from rlft.options.fitting import fitting, to_check
from rlft.options.learning import HeldOut
from rlft.options.task import Fields, load_task
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.runs.drive import Run
from rlft.runs.folder import model_folder
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned, Merged, Stage
from rlft.types import Measure, Runtime, Teachable, UserError


def stages(
    plan: Path,
    model: str,
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    loading: Loading = Loading(),
    fields: Fields = Fields(),
    evaluated: HeldOut = HeldOut(),
    lora: int | None = None,
    gradient_checkpointing: bool = False,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Fine-tune a language model in several stages.

    $ rlft run stages --plan plan.toml --model owner/name --lora 16 --eval-data test.jsonl --out runs/staged

    Args:
        plan: a TOML file of stages, see docs/stages.md.
        model: what the first stage begins with, as of rlft train.
        lora: rank of LoRA adapters; none trains all weights.
        gradient_checkpointing: recompute activations in the backward pass to save memory.
        seed: of everything random.
    """
    read = plans.read(plan)
    policy = Language.load(
        model_folder(model),
        sampling=sampling,
        prompting=prompting,
        loading=loading,
        critic=any(isinstance(stage, Learned) and stage.method.critic for stage in read),
        lora=lora,
        gradient_checkpointing=gradient_checkpointing,
    )
    staged = Staged(policy, [_fitted(stage, policy) for stage in read], seed=seed, runtime=runtime)
    held_out = None
    if evaluated.eval_data is not None:
        held_out = fitting(load_task(evaluated.eval_data, fields.held_out, split="test"), policy)
        policy.check(to_check(held_out))
        if staged.reward is None:
            raise UserError("held-out problems are scored by the last reward of a stage, and none has one")
    numbers = {"problems": evaluated.eval_problems, "samples": evaluated.eval_samples}
    watched: list[Measure] = [text_measures]
    if evaluated.eval_by is not None and staged.reward is not None:
        watched.append(by_column(staged.reward, evaluated.eval_by))
    return Run(staged, staged.steps, held_out, measures=watched, at=staged.ends, **numbers)


def _fitted(stage: Stage, policy: Language) -> Stage:
    """The stage with problems that fit into the model's context, and lessons that can be learned."""
    if isinstance(stage, Merged) or isinstance(stage.task, str):
        return stage
    lessons = isinstance(stage, Learned) and Teachable in stage.method.needs
    task = fitting(stage.task, policy, lessons)
    policy.check(to_check(task))
    if lessons:
        taught = [problem for problem in to_check(task) if problem.lesson is not None]
        if not taught:
            raise UserError(f"stage {stage.name!r} imitates demonstrations, and {task.name} has none")
        policy.check_lessons(taught)
    return replace(stage, task=task)
