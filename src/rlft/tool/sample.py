"""`rlft sample`: what a model answers, in the terminal."""

from __future__ import annotations

import tyro

from rlft.options.guide import guided
from rlft.options.mix import loaded
from rlft.options.tools import ToolUse
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.tool.show import messages, show, spoken
from rlft.types import Problem


def sample(
    model: str,
    prompt: str,
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
    json: bool = False,
    seed: int = 0,
) -> int:
    """Print completions of a prompt.

    With --mix, of a model with other models laid over it. A tune further than it was trained, or half as far:
    --mix TUNED:1.5, --mix TUNED:0.5. Two tunes of the model: --mix ONE:0.7 --mix OTHER:0.3. A small model's tuning on a
    large base, --model LARGE: --mix SMALL-TUNED:SMALL:1. Away from a weaker model: --mix WEAKER:-0.5. All of them must
    share one tokenizer, whose prompts, ends and chat template are those of --model.

    With --guide "best_of(8)" --reward NAME, each completion is the best of eight by that reward.

    Args:
        model: a folder, a hub id, or a run folder, whose trained model is taken.
        prompt: the text to continue, or with --chat the user's message.
        n: completions.
        image: a picture's file that is shown before the prompt; repeat it for several.
        audio: a wav file that is heard before the prompt; repeat it for several.
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several.
        guide: sample by looking ahead: "best_of(8)". See rlft.guidance.
        reward: what --guide is led by, as for rlft train.
        json: print one JSON object a completion.
        seed: of the sampling noise.
    """
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
