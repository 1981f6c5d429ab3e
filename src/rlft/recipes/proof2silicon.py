"""A small model that learns to prompt a frozen generator of verified programs. After Jha et al. 2025, "Proof2Silicon"
(and PREFACE), arXiv:2509.06239.

The generator is a small decoder that writes methods in a part of Dafny, with their invariants. It forgets what nobody
reminds it of, and what that is most often depends on the method. A prompter has two words to say; the program is
verified, what is wrong with it comes back, and there are three attempts. `rl` is paid as in PREFACE: 1 for a verified
program, else -0.5 and -0.2 for each fault, discounted by 0.99. It is compared with the generator alone, asked as often
(`plain`), any two words (`random`), a table of words for what the verifier says (`table`), the imitation of what the
table has solved (`sft`), and with the generator itself fine-tuned (`tuned`); to a generator that does not listen
(`deaf`) there should be nothing to say. In `tools` Dafny looks at held-out programs too, and Yosys and Icarus at the
hardware that they become.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.rloo import rloo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.prompted import prompted

proof2silicon = recipe(
    prompted, rloo(), watch_kl=False, steps=144, prompts=8, group=16, lr=2e-3, rows=None, problems=None
)

_RULE: dict[str, Any] = {"steps": 0}

CLAIM = Claim(
    sentence="A small model that reinforcement learning teaches to prompt a frozen generator, with a verifier in the "
    "loop, has more programs verified than the generator alone, and what is verified becomes hardware that is right.",
    source="Jha et al. 2025, arXiv:2509.06239",
    budget="144 updates for every arm that learns, on 8 of 512 methods each: 128 conversations of up to three "
    "attempts, 256 programs where it is the generator that learns, 64 conversations to imitate; rules learn nothing. "
    "Everything has three attempts at a held-out method. The arms that `rl` is compared with choose their "
    "learning rate from two, as it does.",
    scaled_down="decoders of 0.1 and 0.2 million parameters for a small language model and large ones; methods that "
    "add up in a loop for 100 tasks; two words of six for a prompt. The verifier is one in this process that says what "
    "Dafny says of this part of its language. A translator of 130 lines that unrolls loops stands for HLS, and a proof "
    "of equality for synthesis. What success and an empty prompt earn the paper's abstract does not say: 1 and -2. "
    "Held-out numbers are those of 256 methods, one conversation each: `first` is the share verified at once, `aimed` "
    "that of first prompts that name both weaknesses.",
    real="rlft train --model Qwen/Qwen2.5-0.5B-Instruct --generator Qwen/Qwen2.5-Coder-7B-Instruct "
    "--data contracts.jsonl --eval-data test.jsonl --reward 'dafny(workers=8)' --turns 3 --chat "
    "--max-new-tokens 96 --generator-tokens 1024 --method rloo --group 16 --lora 16 --lr 1e-5",
    metric="verified",
    table=("first", "attempts", "aimed", "dafny/agrees", "silicon", "silicon/unproved"),
    shared=("updates",),
    seeds=8,
    grid={"lr": (1e-3, 2e-3)},
    smoke={
        "steps": 2,
        "reading": 4,
        "imitation": 4,
        "prompts": 2,
        "group": 4,
        "methods": 3,
        "held_out": 3,
        "checked": 2,
    },
    arms={
        "plain": Arm("the generator alone, asked again", {**_RULE, "writer": "plain"}, grid={}),
        "random": Arm("any two words", {**_RULE, "writer": "random"}, grid={}),
        "table": Arm("a table of words for what the verifier says", {**_RULE, "writer": "table"}, grid={}),
        "base": Arm("the prompter before it learns", _RULE, grid={}),
        "sft": Arm("SFT on what the table has solved", {"method": sft(), "prompts": 64, "group": 1}),
        "rl": Arm("RLOO on the verifier's reward"),
        "tuned": Arm(
            "the generator itself by RLOO, no prompts",
            {"writer": "generator", "prompts": 16, "lr": 1e-3},
            grid={},
            seeds=5,
        ),
        "deaf": Arm("RLOO, for a generator that does not listen", {"heeds": "nothing"}, grid={}),
        "tools": Arm("RLOO; Dafny and Yosys look at held-out programs", grid={}, data="tools", seeds=5),
    },
    statements=[
        above("RL has more verified than the generator alone, asked as often", "rl", "plain", least=0.2),
        above("more at the first attempt too", "rl", "plain", least=0.2, of="first"),
        above("more than with random words", "rl", "random", least=0.1),
        above("than a table for what the verifier says", "rl", "table", least=0.05),
        above("than SFT on what the table has solved", "rl", "sft", least=0.05),
        above("every program that is verified is hardware that is right", "tools", least=1.0, of="silicon"),
        *checks(
            between("the generator alone is right now and then", "plain", least=0.05, most=0.25, of="first"),
            between(
                "to one that does not listen there is nothing to say",
                "deaf",
                "plain",
                least=-0.05,
                most=0.05,
                of="first",
            ),
            above("the prompter learns what the generator is weak at", "rl", least=0.2, of="aimed"),
            above("to fine-tune the generator instead does better", "tuned", "rl", least=0.0),
            above("Dafny says of every program what the verifier says", "tools", least=1.0, of="dafny/agrees"),
            below("what is not verified is seldom right", "tools", most=0.5, of="silicon/unproved"),
        ),
    ],
)
