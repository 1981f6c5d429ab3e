"""Your own run: a language model from a folder or the hub, your data, your reward, any method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rlft import methods
from rlft.advantages.correction import importance_corrected
from rlft.collect.episodes import by_texts
from rlft.errors import say
from rlft.measure.text import text_measures, turn_measures
from rlft.methods.grpo import grpo
from rlft.models.sentences import Sentences
from rlft.options.fitting import fitting, to_check
from rlft.options.learning import Adapting, HeldOut, Learning, run_of, trainer_of
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.options.tools import ToolUse
from rlft.policies.composed.pair import Pair
from rlft.policies.composed.second_turn import asked_again
from rlft.policies.composed.taught import Taught, distance_to_teacher
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.served import VLLM
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.rewards.pairs import both
from rlft.runs.drive import Run
from rlft.runs.folder import model_folder
from rlft.runtime.local import Local
from rlft.tasks.files import Files
from rlft.tasks.subset import Subset
from rlft.training.still import frozen
from rlft.types import (
    Exchanging,
    HasTeacher,
    Measure,
    Method,
    Policy,
    Problem,
    Reward,
    Runtime,
    Task,
    Teachable,
    Text,
    UserError,
)

_PROBED = 64  # held-out problems on which a student is compared with its teacher


@dataclass(frozen=True)
class Machines:
    """What runs it.

    Args:
        shard: share the weights of the layers out over torchrun's processes (FSDP2), for models too large for one.
        vllm: draw rows with vLLM, which may take this share of the GPU's memory; advantages are corrected for what its
            log-probabilities differ by. Needs rlft[vllm].
    """

    shard: bool = False
    vllm: float | None = None


@dataclass(frozen=True)
class Second:
    """The second model of a method that has two.

    Args:
        teacher: of on_policy_distillation, given as `model` is; of the same tokenizer.
        observer: the second model of a method that trains two (cory), given as `model` is; by default a copy of it.
        observer_asked: what follows the first model's answer in the second's prompt; {prompt} is the question.
        sentences: an encoder of texts, a folder or hub id: the sentence model of a method that embeds
            answers (memory_r, grpo_s).
    """

    teacher: str | None = None
    observer: str | None = None
    observer_asked: str = "{prompt}"
    sentences: str | None = None


def train(
    model: str,
    data: str,
    rewards: Rewards = Rewards(),
    method: Method = grpo(),
    learning: Learning = Learning(),
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    loading: Loading = Loading(),
    adapting: Adapting = Adapting(),
    fields: Fields = Fields(),
    evaluated: HeldOut = HeldOut(),
    tools: ToolUse = ToolUse(),
    second: Second = Second(),
    machines: Machines = Machines(),
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Fine-tune a language model with reinforcement learning.

    $ rlft train --model owner/name --data sums.jsonl --reward math --lora 16 --lr 1e-4 --out runs/first
    $ rlft train --model owner/name --data arithmetic --steps 20 --prompts 4 --group 4 --max-new-tokens 32
    $ rlft train --model runs/first --data mine.jsonl --chat --reward reward.py:mine "length(target=50, unit='tokens')"

    The first for a machine with a GPU, the second for a laptop, the third goes on with what the first has trained.

    Args:
        model: a folder, a hub id, a PEFT adapter's folder, or a run folder, whose trained model is taken.
        data: a JSONL, JSON, CSV or Parquet file, a saved data set or hub id, or a task: arithmetic,
            reasoning_gym:NAME.
        seed: of everything random.
    """
    method = _remembering(method, second.sentences)
    task = load_task(data, fields)
    held_out = _held_out(task, data, evaluated.eval_data, fields)
    chosen = _paid(rewards, task, method)
    _tell(learning)
    load = partial(
        Language.load, sampling=sampling, prompting=prompting, loading=loading, critic=method.critic, **vars(adapting)
    )
    alone = _served(load(model_folder(model)), machines.vllm, loading.dtype)
    pair, (speaking, chosen) = Exchanging in method.needs, tools.answering(alone, chosen, loading)
    task = fitting(task, speaking, Teachable in method.needs)
    held_out = None if held_out is None else fitting(held_out, speaking, Teachable in method.needs)
    sources = [source for source in (task, held_out) if source is not None]
    _check(alone, speaking, method, second, sources)
    policy: Policy = speaking
    if second.teacher is not None:
        teacher = Language.load(model_folder(second.teacher), sampling, prompting, loading)
        policy = _taught(speaking, teacher, sources)
    if pair:
        policy = _paired(alone, load(model_folder(second.observer or model)), second.observer_asked, sources)
    trainer = trainer_of(
        learning,
        policy,
        method if machines.vllm is None else _corrected(method, learning),
        task,
        both(chosen) if pair else chosen,
        reference=_reference(policy, method.reference or learning.kl, (runtime or Local()) if machines.shard else None),
        measures=[_of_the_first] if pair else _watched(speaking),
        seed=seed,
        runtime=runtime,
    )
    told = {"reward": chosen, "deploy": speaking, "measures": _watched(speaking)}
    return run_of(learning, trainer, held_out, evaluated, probes=_probes(policy, held_out, evaluated), **told)


def _paid(rewards: Rewards, task: Task, method: Method) -> Reward:
    """The reward; a method that learns from a teacher needs none, and then every row earns 0."""
    if HasTeacher in method.needs and not rewards.reward and getattr(task, "reward", None) is None:
        return _nothing
    return reward_of(rewards, task)


def _nothing(problems: Sequence[Problem], outputs: Sequence[Text]) -> list[float]:
    return [0.0] * len(problems)


def _taught(student: Language | Conversation, teacher: Language, sources: Iterable[Task]) -> Taught:
    """The student with its teacher, who must be able to read what the student is asked."""
    for source in sources if isinstance(student, Language) else ():
        teacher.check(to_check(source))
    return Taught(student, teacher)


def _probes(policy: Policy, held_out: Task | None, evaluated: HeldOut) -> list[Callable[[Taught], dict[str, float]]]:
    """How far a student is from its teacher, on held-out problems."""
    if held_out is None or not isinstance(policy, Taught):
        return []
    count = min(evaluated.eval_problems or _PROBED, held_out.size or _PROBED, _PROBED)
    return [partial(distance_to_teacher, problems=[held_out.at(index) for index in range(count)])]


def _tell(learning: Learning) -> None:
    """What is allowed and trains nothing."""
    if learning.steps == 0:
        say("--steps 0 evaluates and trains nothing")
    elif learning.lr == 0:
        say("--lr 0 draws and scores, and moves no weight")


def _of_the_first(problems: Sequence[Problem], outputs: Sequence[tuple[Text, Text]]) -> dict[str, float]:
    """The measures of the answers that were given first, of which there are several to a question."""
    return text_measures(problems, [first for first, _ in outputs])


def _watched(policy: Language | Conversation) -> list[Measure]:
    """What is measured of its completions, or of its conversations."""
    return [text_measures, turn_measures] if isinstance(policy, Conversation) else [text_measures]


def _check(
    alone: Language,
    policy: Language | Conversation,
    method: Method,
    second: Second,
    sources: list[Task],
) -> None:
    """Before any work is done: what goes together, no greedy rows, problems and lessons that fit."""
    if (HasTeacher in method.needs) != (second.teacher is not None):
        need = "needs a --teacher" if second.teacher is None else "has no use for a --teacher"
        raise UserError(f"method {method.name} {need}; on_policy_distillation is the one that learns from a teacher")
    if second.observer is not None and Exchanging not in method.needs:
        raise UserError(f"method {method.name} trains one model, so --observer is not used; try --method cory")
    if alone.sampling.temperature == 0 and method.name != "sft":
        raise UserError("temperature 0 is greedy: it explores nothing and cannot be trained; try 1")
    if policy is not alone and Exchanging in method.needs:
        raise UserError(
            f"method {method.name} trains two models, which cannot call --tools or prompt others; try --method grpo"
        )
    for source in sources:
        policy.check(to_check(source))
    if Teachable in method.needs:
        lessons = [problem for problem in to_check(sources[0]) if problem.lesson is not None]
        if not lessons:
            raise UserError(
                f"method {method.name} imitates demonstrations, and {sources[0].name} has none: give its problems a "
                "column demonstration, or answer, or say which it is with --demonstration-field"
            )
        policy.check_lessons(lessons)


def _served(policy: Language, memory: float | None, dtype: str) -> Language:
    """With a share of memory, the policy whose rows vLLM draws."""
    return (
        policy if memory is None else policy.served(VLLM(policy.causal.config.name_or_path, memory=memory, dtype=dtype))
    )


def _corrected(method: Method, learning: Learning) -> Method:
    """The method for rows that another engine draws; others it leaves as they are.

    Rows that are drawn ahead are corrected for engine and age at once, where they are corrected.
    """
    if learning.ahead and learning.staleness_correction != "none":
        return method
    return replace(method, advantage=importance_corrected(method.advantage))


def _remembering(method: Method, sentences: str | None) -> Method:
    """The method that embeds answers as this model does: to remember them, or to compare them with lessons."""
    if sentences is None:
        return method
    if "embed" in method.settings:
        embedded = {"embed": by_texts(Sentences.load(sentences))}
    elif "encode" in method.settings:
        embedded = {"encode": Sentences.load(sentences)}
    else:
        raise UserError(f"method {method.name} has no use for --sentences; memory_r and grpo_s embed answers")
    return methods.named(method.name)(**{**method.settings, **embedded})


def _paired(one: Language, two: Language, again: str, sources: Iterable[Task]) -> Pair:
    """Two that learn together: either may have to read an answer of full length before it writes its own."""
    pair = Pair(one, two, asked_again(again))
    for source in sources:
        for member in (one, two):
            roomy = member.with_sampling(max_new_tokens=2 * member.sampling.max_new_tokens)
            roomy.check(pair.merge(problem, Text("")) for problem in to_check(source))
    return pair


def _reference(policy: Policy, wanted: bool, shared_by: Runtime | None) -> Policy | None:
    """What the KL is measured to, if it is; where the layers are to be shared out, the policy's and its own are."""
    reference = frozen(policy) if wanted else None
    if shared_by is not None:
        model = policy.language if isinstance(policy, Conversation) else policy
        if not isinstance(model, Language):
            raise UserError("--shard is for one model; train two with --lora, or on a device that holds both")
        shared_by.shard([*model.blocks, *(reference.blocks if isinstance(reference, Language) else ())])
    return reference


def _held_out(task: Task, data: str, eval_data: str | None, fields: Fields) -> Task | None:
    """The problems to evaluate on: a file's when given, a generator's own test split."""
    if eval_data is not None:
        return load_task(eval_data, fields.held_out, split="test")
    return None if isinstance(task, Files | Subset) else load_task(data, split="test")
