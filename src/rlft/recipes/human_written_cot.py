"""Twenty long traces as the whole training set, and where they come from. After Du et al. 2025, "Is Human-Written Data
Enough? The Challenge of Teaching Reasoning to LLMs Without RL or Distillation", arXiv:2507.09850.

Questions about a hidden digit, which is easy to check and hard to see. The base once learned to search, and has since
read that people answer at once, mostly wrongly; one answer in ten goes on trying until a digit fits. Twenty examples
are imitated: what a reasoning model writes, a trial that fails and the right one, the right one alone, the right one as
often as the reasoner tries, which is as long and turns back nowhere, or the bare answer. Checks: the same twenty for a
base that has read no search; four times as many polished ones; and five or 80 of the reasoner's.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.traces import traces

human_written_cot = recipe(traces, sft(), watch_kl=False, steps=20, prompts=20, group=1, lr=5e-4, rows=None, every=0)

CLAIM = Claim(
    sentence="Twenty traces of a reasoning model, imitated, bring out in a base what it had latent and make it much "
    "better; traces that people write or polish do not match them, as turning back is what they lack.",
    source="Du et al. 2025, arXiv:2507.09850",
    budget="20 steps, each over all examples (of the 80 a fourth of them). Every arm chooses its learning rate from "
    "three.",
    scaled_down="character models of 0.1 million parameters for Qwen2.5-32B and QwQ-32B-Preview; digits that are found "
    "by trying for mathematics; people's traces are made by a program, with one trial that fails or with none. Metrics "
    "are those of 400 held-out questions, four answers each, drawn at temperature 1; which questions are shown differs "
    "by seed.",
    real="rlft train --model Qwen/Qwen2.5-32B --data TWENTY.jsonl --demonstration-field solution --chat --reward math "
    "--method sft --prompts 20 --group 1 --max-new-tokens 16384 --steps 20 --lr 1e-5",
    metric="reward",
    table=("tries", "turns", "checked", "tokens", "pass@4"),
    shared=(),
    grid={"lr": (2e-4, 5e-4, 1e-3)},
    seeds=12,
    smoke={"steps": 1, "imitation": 2, "examples": 4, "prompts": 4, "questions": 8},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "reasoner": Arm("a reasoning model's traces"),
        "edited": Arm("people's, with one trial that fails", {"source": "edited"}),
        "polished": Arm("people's, the right trial alone", {"source": "polished"}),
        "template": Arm("the right trial, as often as a search tries", {"source": "template"}),
        "answer": Arm("the answers alone", {"source": "answer"}),
        "null-base": Arm("a base that has read no search", {"searching": 0, "steps": 0}, grid={}),
        "null": Arm("the reasoner's, for that base", {"searching": 0}),
        "polished-80": Arm("80 polished ones", {"source": "polished", "examples": 80}),
        "few": Arm("5 of the reasoner's", {"examples": 5, "prompts": 5}),
        "many": Arm("80 of the reasoner's", {"examples": 80}),
    },
    statements=[
        above("a reasoner's traces make the base much better", "reasoner", "base", least=0.2),
        above("people's polished traces do not match them", "reasoner", "polished", least=0.1),
        above("nor do those that show a trial that fails", "reasoner", "edited", least=0.05),
        above("nor what is as long and never turns back", "reasoner", "template", least=0.1),
        above("nor the answers alone", "reasoner", "answer", least=0.1),
        above("what was brought out is turning back", "reasoner", "base", least=1.0, of="turns"),
        between("a base without it gains next to nothing", "null", "null-base", least=-0.1, most=0.1),
        *checks(
            below("the base is far from its limit", "base", most=0.6),
            between("polished traces are worth no more than answers", "polished", "answer", least=-0.05, most=0.05),
            between("more polished ones do not help", "polished-80", "polished", least=-0.1, most=0.1),
            above("five are not enough", "reasoner", "few", least=0.05),
            above("80 are better", "many", "reasoner", least=0.05),
        ),
    ],
)
