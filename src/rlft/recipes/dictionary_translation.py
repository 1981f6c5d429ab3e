"""Translation into a language with little text, with a dictionary to consult. After "Improving Low-Resource Translation
with Dictionary-Guided Fine-Tuning and RL: A Spanish-to-Wayuunaiki Study" (AAAI 2026), arXiv:2508.19481.

A small decoder with byte pairs of its own learns from parallel text alone. With the tool its demonstrations ask for 0
to 4 random words of the sentence and read the first five matches before they translate; as it starts from nothing, it
is first drilled to take words from one place to another, on words without sense. Then GRPO, with sentence BLEU and chrF
as the reward, decides when to ask, for what, and what to make of it. The arms, with and without the tool, before and
after RL, translate held-out sentences greedily. A made-up pair needs no data: suffixes, another word order, a
dictionary with more words than the text. Spanish–Quechua, Spanish–Wayuunaiki or any two files are given by their paths.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.worlds.translation import translated

dictionary_translation = recipe(
    translated, grpo(beta=0.0), watch_kl=False, steps=40, prompts=16, group=8, lr=1e-4, rows=None, problems=None
)


def _arms(kind: str, text: str, arguments: dict[str, Any], data: str | None) -> dict[str, Arm]:
    """The four arms of one pair of languages."""
    rl, alone = {"method": grpo(beta=0.0)}, {"queries": 0}
    arms = {
        "sft": ("SFT without the dictionary", {"steps": 0, **alone}),
        "sft_tool": ("SFT with it, random queries", {"steps": 0}),
        "grpo": ("and GRPO, without", {**rl, **alone}),
        "grpo_tool": ("and GRPO, with", rl),
    }
    return {
        f"{kind}_{name}": Arm(f"{text}, {what}", {**arguments, **own}, data=data) for name, (what, own) in arms.items()
    }


CLAIM = Claim(
    sentence=(
        "A language model that may consult a bilingual dictionary, trained end to end by SFT and by GRPO with BLEU as "
        "its reward, translates better into a low-resource language than a supervised one without the dictionary."
    ),
    source="Dictionary-guided fine-tuning and RL, AAAI 2026, arXiv:2508.19481",
    budget=(
        "The sentences of a pair, seen equally often by all supervised models of it; with the tool also drills without "
        "sense. Then equally many translations in RL."
    ),
    scaled_down=(
        "A decoder of 0.4 M weights that starts from nothing, and is shared by the seeds, instead of Qwen2.5-0.5B: "
        "corpus BLEU is a few tenths of a per cent, so chrF carries the claim, and the dictionary word for word "
        "(words/chrf) is better than any arm. The reward is the mean of BLEU and chrF. Sentences of up to 40 letters, "
        "without capitals and marks, decoded greedily; no test set of a shared task. Spanish–Quechua are the files "
        "dict.es and dict.quy of the AmericasNLP shared task (southern Quechua, MINEDU and Huarcaya): pairs of one "
        "Spanish word are the dictionary, the others the sentences. Spanish–Wayuunaiki are train.es and train.guc of "
        "Prieto et al. 2024; pairs of up to two words stand in for the dictionary that the paper had."
    ),
    real="rlft run dictionary_translation --source FILE --target FILE --dictionary FILE.tsv --model CHECKPOINT "
    "--drills 0",
    metric="chrf",
    table=("bleu", "chrf/new", "letters", "queries", "found", "new", "new_asked", "valid", "copy/chrf", "words/chrf"),
    smoke={"steps": 1, "prompts": 2, "group": 2, "drills": 1, "imitation": 2, "problems": 8},
    arms={
        **_arms("made", "made-up pair", {"held_out": 0.25, "vocabulary": 500, "drills": 800}, None),
        **_arms("quechua", "Spanish–Quechua", {}, "quechua"),
        **_arms("wayuunaiki", "Spanish–Wayuunaiki", {"held_out": 0.2, "entry_words": 2}, "wayuunaiki"),
    },
    statements=[
        above("RL with the dictionary beats SFT without", "quechua_grpo_tool", "quechua_sft", least=0.01),
        above("RL improves what consults it", "quechua_grpo_tool", "quechua_sft_tool", least=0.01),
        above("and is better off with it", "quechua_grpo_tool", "quechua_grpo", least=0.005),
        above("RL with the dictionary beats SFT without, made up", "made_grpo_tool", "made_sft", least=0.03),
        *checks(
            above("In BLEU, too, little as it is", "quechua_grpo_tool", "quechua_sft", of="bleu"),
            between("It is not length", "quechua_grpo_tool", least=0.7, most=1.4, of="letters"),
            above(
                "The dictionary is worth more where words are new",
                "made_grpo_tool",
                "made_grpo",
                least=0.03,
                of="chrf/new",
            ),
            above("RL asks for more of the new words", "made_grpo_tool", "made_sft_tool", least=0.1, of="new_asked"),
            above("on real text, too", "quechua_grpo_tool", "quechua_sft_tool", least=0.1, of="new_asked"),
            above("RL alone helps, too", "quechua_grpo", "quechua_sft", least=0.005),
            above("and on Wayuunaiki", "wayuunaiki_grpo", "wayuunaiki_sft", least=0.005),
            below("whose few phrases hardly help", "wayuunaiki_grpo_tool", "wayuunaiki_grpo", most=0.01),
            above("The answers stay in their tags", "quechua_grpo_tool", least=0.95, of="valid"),
        ),
    ],
)
# A base that has hardly been trained earns nothing.
