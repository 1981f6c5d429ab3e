"""Your own run: a language model from a folder or the hub, your data, your reward, any method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from rlft.advantages.correction import importance_corrected
from rlft.measure.text import text_measures, turn_measures
from rlft.methods.grpo import grpo
from rlft.options.reward import reward_of
from rlft.options.task import load_task
from rlft.options.tools import talking
from rlft.policies.composed.pair import Pair
from rlft.policies.composed.second_turn import asked_again
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.policies.language.served import VLLM
from rlft.rewards.pairs import both
from rlft.runs.drive import Run
from rlft.runs.folder import model_folder
from rlft.runtime.local import Local
from rlft.tasks.files import Files
from rlft.training.trainer import Trainer, frozen
from rlft.types import Exchanging, Measure, Method, Policy, Problem, Runtime, Task, Teachable, Text, UserError


def train(
    model: str,
    data: str,
    reward: tuple[str, ...] = (),
    reward_weights: tuple[float, ...] = (),
    method: Method = grpo(),
    steps: int = 200,
    prompts: int = 16,
    group: int = 8,
    rows: int | None = None,
    budget: int | None = None,
    lr: float = 1e-5,
    warmup: int = 0,
    max_grad_norm: float = 1.0,
    max_new_tokens: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    stop: tuple[str, ...] = (),
    system: str | None = None,
    lora: int | None = None,
    dtype: str = "float32",
    device: str | None = None,
    gradient_checkpointing: bool = False,
    trust_remote_code: bool = False,
    prompt_field: str | None = None,
    answer_field: str | None = None,
    demonstration_field: str | None = None,
    eval_data: str | None = None,
    eval_problems: int | None = 200,
    eval_samples: int = 1,
    kl: bool = True,
    shard: bool = False,
    vllm: float | None = None,
    observer: str | None = None,
    observer_asked: str = "{prompt}",
    tools: tuple[str, ...] = (),
    turns: int = 8,
    tool_seconds: float = 10.0,
    window: int | None = None,
    summaries: int = 0,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Fine-tune a language model with reinforcement learning.

    Args:
        model: a folder, a hub id, a PEFT adapter's folder, or a run folder, whose trained model is taken.
        data: a JSONL, JSON, CSV or Parquet file, a saved data set or hub id, or a task: arithmetic,
            reasoning_gym:NAME.
        reward: built-in names such as math or "length(target=50, unit='tokens')", or file.py:function; several add.
            A task that has its own reward needs none.
        reward_weights: a weight for each reward; 1 by default.
        steps: steps in all.
        prompts: problems in a step, over all processes.
        group: rollouts of each problem.
        rows: rows in one forward pass of an update; fewer need less memory and give the same result.
        budget: tokens in one instead: rows of like length go together, and a prompt is read once for its group.
        lr: learning rate; 1e-6 to 1e-5 for all weights, about 1e-4 with LoRA, more for tiny models.
        warmup: steps over which the learning rate rises to its value.
        max_grad_norm: bound on the gradient's norm.
        max_new_tokens: tokens in a completion at most.
        temperature: of the distribution that is sampled and trained.
        top_p: nucleus that is sampled and trained; 1 is everything.
        top_k: likeliest tokens that are sampled and trained; 0 is all.
        stop: strings that end a completion.
        system: a system prompt for chat models.
        lora: rank of LoRA adapters; none trains all weights.
        dtype: of the weights: float32, bfloat16, float64.
        device: cpu, cuda, cuda:1; a GPU where there is one.
        gradient_checkpointing: recompute activations in the backward pass to save memory.
        trust_remote_code: run code that a hub model brings along.
        prompt_field: the data's column of prompts (text or chat messages), by default prompt.
        answer_field: the data's column of answers, by default answer.
        demonstration_field: the data's column of what sft, sft_grpo, relift and dr_po imitate, by default demonstration
            if there is one, else the answers.
        eval_data: held-out problems, evaluated before and after; a task's own test split by default.
        eval_problems: how many of them at most.
        eval_samples: completions of each.
        kl: measure the KL to the start at every step, also where the method does not need it.
        shard: share the weights of the layers out over torchrun's processes (FSDP2), for models too large for one.
        vllm: draw rows with vLLM, which may take this share of the GPU's memory; advantages are corrected for what its
            log-probabilities differ by. Needs rlft[vllm].
        observer: the second model of a method that trains two (cory), given as `model` is; by default a copy of it.
        observer_asked: what follows the first model's answer in the second's prompt; {prompt} is the question.
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        turns: with tools, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        window: with tools, tokens that are read and written at once, at most; by default what the model has room for.
        summaries: with tools, how often a conversation that fills the window may go on from the model's own summary.
        seed: of everything random.
    """
    task = _problems(data, prompt_field, answer_field, demonstration_field)
    held_out = _held_out(task, data, eval_data, prompt_field, answer_field)
    chosen = reward_of(reward, reward_weights, task)
    load = partial(
        Language.load,
        lora=lora,
        critic=method.critic,
        dtype=dtype,
        device=device,
        trust_remote_code=trust_remote_code,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=stop,
        system=system,
        gradient_checkpointing=gradient_checkpointing,
    )
    alone = _served(load(model_folder(model)), vllm, dtype)
    pair, speaking = Exchanging in method.needs, talking(alone, tools, turns, tool_seconds, window, summaries)
    sources = _checked(alone, speaking, method, observer, [source for source in (task, held_out) if source is not None])
    policy = _paired(alone, load(model_folder(observer or model)), observer_asked, sources) if pair else speaking
    trainer = Trainer(
        policy,
        method if vllm is None else _corrected(method),
        task,
        both(chosen) if pair else chosen,
        prompts=prompts,
        group=group,
        rows=rows,
        budget=budget,
        lr=lr,
        schedule=lambda step: min(1.0, (step + 1) / (warmup + 1)),
        max_grad_norm=max_grad_norm,
        seed=seed,
        reference=_reference(policy, method.reference or kl, (runtime or Local()) if shard else None),
        measures=[_of_the_first] if pair else _watched(speaking),
        runtime=runtime,
    )
    return Run(trainer, steps, held_out, chosen, eval_problems, eval_samples, speaking, _watched(speaking))


def _of_the_first(problems: Sequence[Problem], outputs: Sequence[tuple[Text, Text]]) -> dict[str, float]:
    """The measures of the answers that were given first, of which there are several to a question."""
    return text_measures(problems, [first for first, _ in outputs])


def _watched(policy: Language | Conversation) -> list[Measure]:
    """What is measured of its completions, or of its conversations."""
    return [text_measures, turn_measures] if isinstance(policy, Conversation) else [text_measures]


def _checked(
    alone: Language,
    policy: Language | Conversation,
    method: Method,
    observer: str | None,
    sources: list[Task],
) -> list[Task]:
    """The sources, before any work is done: what goes together, no greedy rows, problems and lessons that fit."""
    if observer is not None and Exchanging not in method.needs:
        raise UserError(f"method {method.name} trains one model, so --observer is not used; try --method cory")
    if alone.sampling.temperature == 0 and method.name != "sft":
        raise UserError("temperature 0 is greedy: it explores nothing and cannot be trained; try 1")
    if policy is not alone and Exchanging in method.needs:
        raise UserError(f"method {method.name} trains two models, which cannot call --tools; try --method grpo")
    for source in sources:
        policy.check(_asked(source))
    if Teachable in method.needs:
        lessons = [problem for problem in _asked(sources[0]) if problem.lesson is not None]
        if not lessons:
            raise UserError(
                f"method {method.name} imitates demonstrations, and {sources[0].name} has none: give its problems a "
                "column demonstration, or answer, or say which it is with --demonstration-field"
            )
        policy.check_lessons(lessons)
    return sources


def _served(policy: Language, memory: float | None, dtype: str) -> Language:
    """With a share of memory, the policy whose rows vLLM draws."""
    return (
        policy if memory is None else policy.served(VLLM(policy.causal.config.name_or_path, memory=memory, dtype=dtype))
    )


def _corrected(method: Method) -> Method:
    """The method for rows that another engine draws; others it leaves as they are."""
    return replace(method, advantage=importance_corrected(method.advantage))


def _paired(one: Language, two: Language, again: str, sources: Iterable[Task]) -> Pair:
    """Two that learn together: either may have to read an answer of full length before it writes its own."""
    pair = Pair(one, two, asked_again(again))
    for source in sources:
        for member in (one, two):
            roomy = member.with_sampling(max_new_tokens=2 * member.sampling.max_new_tokens)
            roomy.check(pair.merge(problem, Text("")) for problem in _asked(source))
    return pair


def _asked(source: Task) -> Iterator[Problem]:
    """A task's problems; of an endless one 256."""
    return (source.at(index) for index in range(source.size if source.size is not None else 256))


def _reference(policy: Policy, wanted: bool, shared_by: Runtime | None) -> Policy | None:
    """What the KL is measured to, if it is; where the layers are to be shared out, the policy's and its own are."""
    reference = frozen(policy) if wanted else None
    if shared_by is not None:
        model = policy.language if isinstance(policy, Conversation) else policy
        if not isinstance(model, Language):
            raise UserError("--shard is for one model; train two with --lora, or on a device that holds both")
        shared_by.shard([*model.blocks, *(reference.blocks if isinstance(reference, Language) else ())])
    return reference


def _problems(
    data: str, prompt: str | None, answer: str | None, shown: str | None = None, split: str = "train"
) -> Task:
    """The task that a text names, or the rows of a file, by the names of its columns."""
    return load_task(data, prompt_field=prompt, answer_field=answer, demonstration_field=shown, split=split)


def _held_out(task: Task, data: str, eval_data: str | None, prompt: str | None, answer: str | None) -> Task | None:
    """The problems to evaluate on: a file's when given, a generator's own test split."""
    if eval_data is not None:
        return _problems(eval_data, prompt, answer, split="test")
    return None if isinstance(task, Files) else load_task(data, split="test")
