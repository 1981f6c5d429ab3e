"""A small model's tuning on a large model's knowledge. After Mitchell et al. 2023, "An Emulator for Fine-Tuning Large
Language Models using Small Language Models", arXiv:2310.12962.

A small and a large model have read the same facts, worded in several manners, and the small one has no room for all of
them. Both are then tuned to a manner: `terse` says the fact and stops, `chatty` goes on with others. The tuning sees
half of the relations, and the evaluation asks for the other half. `reward` is whether the fact is right, `terse` and
`chatty` how often the row is worded so. Emulation adds the small models' difference to the large base, so it should
know what the large one knows and speak as the small tuned one does; `down` is the reverse. The share of each of the two
tunes is chosen when sampling. `careful` re-weighs likely tokens only, `speculative` drafts with the small tuned model.
All models are made anew for each seed. Nothing is trained by the run itself unless it is asked to.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.rloo import rloo
from rlft.recipes import recipe
from rlft.worlds.facts import emulating

eft = recipe(emulating, rloo(), watch_kl=False, steps=0, prompts=16, group=8, lr=3e-4, rows=None, problems=200)

CLAIM = Claim(
    sentence=(
        "Adding a small model's fine-tuning to a large base, as a difference of log-probabilities, gives the large "
        "model's factuality and the small one's tuned behaviour without tuning the large one, and lets competing "
        "behaviours be weighed when sampling."
    ),
    source="Mitchell et al. 2023, arXiv:2310.12962",
    budget="Nothing is trained by an arm itself. All models of one size have read the same, all tunes were as long.",
    scaled_down=(
        "Models of 15 000 and 230 000 weights instead of 7 and 70 billion, made-up facts of one digit instead of the "
        "world's, supervised tuning to a manner instead of chat models, and counting instead of GPT-4's judgement."
    ),
    real="rlft sample --model LARGE --mix SMALL-CHAT:SMALL:1 --prompt TEXT",
    metric="reward",
    table=("terse", "chatty", "calls", "kept"),
    shared=(),
    smoke={"imitation": 2, "tuning": 1, "problems": 8},
    arms={
        "small_tuned": Arm("the small model, tuned", {"base": "small", "tune": "small"}),
        "large_base": Arm("the large model, not tuned", {"base": "large", "tune": "none"}),
        "emulated": Arm("large base, small model's tuning", {}),
        "large_tuned": Arm("the large model, tuned", {"base": "large", "tune": "large"}),
        "down": Arm("small base, large model's tuning", {"base": "small", "tune": "large"}),
        "careful": Arm("emulated, where the tuned model finds tokens likely", {"top_p": 0.9}),
        "terse_75": Arm("emulated, three quarters terse", {"terse": 0.75}),
        "terse_50": Arm("emulated, half terse", {"terse": 0.5}),
        "terse_25": Arm("emulated, a quarter terse", {"terse": 0.25}),
        "terse_0": Arm("emulated, chatty", {"terse": 0.0}),
        "speculative": Arm("emulated, drafted by the small tuned model", {"ahead": 3}),
    },
    statements=[
        above("more factual than the small tuned model", "emulated", "small_tuned", least=0.1),
        above("in the tuned manner, as the large base is not", "emulated", "large_base", least=0.3, of="terse"),
        above("and nearly as the small tuned model is", "emulated", "small_tuned", least=-0.1, of="terse"),
        above("as factual as tuning the large model", "emulated", "large_tuned", least=-0.1),
        above("knowledge comes from the base: down-scaling has less", "emulated", "down", least=0.1),
        above("more terse at three quarters than at one", "terse_75", "terse_25", least=0.2, of="terse"),
        above("more chatty at one quarter than at three", "terse_25", "terse_75", least=0.2, of="chatty"),
        *checks(
            above("half lies between: below all", "emulated", "terse_50", least=0.05, of="terse"),
            above("half lies between: above none", "terse_50", "terse_0", least=0.05, of="terse"),
            above("the filter costs no facts", "careful", "emulated", least=-0.05),
            between("drafting changes no facts", "speculative", "emulated", least=-0.05, most=0.05),
            between("nor the manner", "speculative", "emulated", least=-0.05, most=0.05, of="terse"),
            below("and saves calls of the large model", "speculative", most=0.95, of="calls"),
        ),
    ],
)
