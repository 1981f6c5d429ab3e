"""`rlft sample`: what a model answers, in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rlft.options.guide import guided
from rlft.options.mix import loaded
from rlft.options.tools import ToolUse
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.tool.sample_run import sampled
from rlft.tool.show import messages, show, spoken
from rlft.types import Problem, UserError


@dataclass(frozen=True)
class OwnProblems:
    """Without --prompt: problems of a run folder's own.

    Args:
        problems: how many of them.
        out: a new folder for what is drawn: images as PNG, numbers as .npy, and a line for each row.
        trust_run: run the code that a run folder names, or tools that a model remembers, although others have made it;
            of a run folder it is asked once.
    """

    problems: int = 8
    out: Path | None = None
    trust_run: bool = False


def sample(
    model: str,
    prompt: str | None = None,
    n: int = 1,
    image: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    audio: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    guide: str | None = None,
    reward: tuple[str, ...] = (),
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    tools: ToolUse = ToolUse(),
    loading: Loading = Loading(),
    own: OwnProblems = OwnProblems(),
    json: bool = False,
    seed: int = 0,
) -> int:
    """Print completions of a prompt; of the run folder of any recipe, without one, what it makes of its own problems.

    With --mix, of a model with other models laid over it. A tune further than it was trained, or half as far:
    --mix TUNED:1.5, --mix TUNED:0.5. Two tunes of the model: --mix ONE:0.7 --mix OTHER:0.3. A small model's tuning on a
    large base, --model LARGE: --mix SMALL-TUNED:SMALL:1. Away from a weaker model: --mix WEAKER:-0.5. All of them must
    share one tokenizer, whose prompts, ends and chat template are those of --model.

    With --guide "best_of(8)" --reward NAME, each completion is the best of eight by that reward.

    Args:
        model: a folder, a hub id, or a run folder, whose trained model is taken.
        prompt: the text to continue, or with --chat the user's message. None for the run folder's own problems: its
            held-out ones, drawn in whatever way its recipe does, images and episodes too.
        n: completions, or rows of each problem.
        image: a picture's file that is shown before the prompt; repeat it for several.
        audio: a wav file that is heard before the prompt; repeat it for several.
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several.
        guide: sample by looking ahead: "best_of(8)". See rlft.guidance.
        reward: what --guide is led by, as for rlft train.
        json: print one JSON object a completion.
        seed: of the sampling noise.
    """
    if prompt is None:
        _check_run(model, mix, tools.speaking_to, image, audio)
        told: dict[str, Any] = {"problems": own.problems, "group": n, "seed": seed, "trusted": own.trust_run}
        return sampled(Path(model), guide, reward, own.out, json, **told)
    if own.out is not None:
        raise UserError("--out is for what a run folder's own problems are answered with: leave out --prompt")
    policy = tools.given_to(loaded(model, mix, sampling, prompting, loading))
    problem = Problem(0, prompt, columns=_shown(image, audio), task="prompt", split="sample")
    policy.check([problem])
    sampler = guided(policy, guide, reward)
    rollouts = sampler.sample([problem], n, seed)
    for number, (text, logp) in enumerate(zip(rollouts.outputs, rollouts.logp_old.sum(1).tolist(), strict=True), 1):
        if json:
            said = {"text": str(text), "tokens": len(text.tokens), "truncated": text.truncated, "logp": logp}
            show({**said, **messages(text)}, True)
        else:
            ended = "cut by a limit" if text.truncated else "ended by the model"
            print(f"── {number} of {n}, {len(text.tokens)} tokens, {ended}\n{spoken(text) or '(no text)'}")
    return 0


def _shown(image: tuple[str, ...], audio: tuple[str, ...]) -> dict[str, list[str]]:
    """The columns of a problem that shows these."""
    return {name: list(files) for name, files in (("images", image), ("audios", audio)) if files}


def _check_run(model: str, *told: Any) -> None:
    if not (Path(model) / "run.json").is_file():
        raise UserError(f"--prompt is needed: {model} is not the run folder of a recipe, which has problems of its own")
    if any(told):
        raise UserError(
            "--mix, --tools, --agent, --record, --image and --audio are for --prompt: a run is sampled as its recipe "
            "says"
        )
