"""`rlft sample`: what a model answers, in the terminal."""

from __future__ import annotations

from typing import Any

import tyro

from rlft.tool.show import messages, show, spoken
from rlft.types import Problem


def sample(
    model: str,
    prompt: str,
    n: int = 1,
    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    guide: str | None = None,
    reward: tuple[str, ...] = (),
    max_new_tokens: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    stop: tuple[str, ...] = (),
    chat: bool = False,
    system: str | None = None,
    tools: tuple[str, ...] = (),
    turns: int = 8,
    tool_seconds: float = 10.0,
    window: int | None = None,
    summaries: int = 0,
    dtype: str = "float32",
    device: str | None = None,
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
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several.
        guide: sample by looking ahead: "best_of(8)". See rlft.guidance.
        reward: what --guide is led by, as for rlft train.
        max_new_tokens: tokens in a completion at most.
        temperature: 0 is greedy.
        top_p: nucleus that is sampled.
        top_k: likeliest tokens that are sampled; 0 is all.
        stop: strings that end a completion.
        chat: send the prompt through the model's chat template.
        system: a system prompt for chat models.
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        turns: with tools, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        window: with tools, tokens that are read and written at once, at most; by default what the model has room for.
        summaries: with tools, how often a conversation that fills the window may go on from the model's own summary.
        dtype: of the weights.
        device: cpu, cuda; a GPU where there is one.
        json: print one JSON object a completion.
        seed: of the sampling noise.
    """
    from rlft.options import guide as guiding
    from rlft.options import mix as steering
    from rlft.options import tools as conversing

    language = steering.loaded(
        model,
        mix,
        dtype=dtype,
        device=device,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=stop,
        system=system,
    )
    policy = conversing.talking(language, tools, turns, tool_seconds, window, summaries)
    asked: Any = [{"role": "user", "content": prompt}] if chat else prompt
    sampler = guiding.guided(policy, guide, reward)
    rollouts = sampler.sample([Problem(0, asked, task="prompt", split="sample")], n, seed)
    for number, (text, logp) in enumerate(zip(rollouts.outputs, rollouts.logp_old.sum(1).tolist(), strict=True), 1):
        if json:
            said = {"text": str(text), "tokens": len(text.tokens), "truncated": text.truncated, "logp": logp}
            show({**said, **messages(text)}, True)
        else:
            ended = "cut by a limit" if text.truncated else "ended by the model"
            print(f"── {number} of {n}, {len(text.tokens)} tokens, {ended}\n{spoken(text)}")
    return 0
