"""SFT and reinforcement learning in turns, each round's traces written by the model of the last. After Deng et al.
2025, "OpenVLThinker", arXiv:2503.17352.

A small LLaVA that is asked what the shapes in a picture are worth together, and seldom thinks before it answers. The
first traces come from a program that reads captions with mistakes in them, those of later rounds from the model itself,
right ones, one a problem. SFT begins with the base again each time, as in the released models, or goes on from the
last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, Lines, above, below, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import asked, measured, optioned
from rlft.runs.drive import Run
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned, Regenerated, Source, Stage
from rlft.worlds import World
from rlft.worlds.reasoned import Captioned, reasoned

Again = Literal["base", "last"]
Writer = Literal["last", "reasoner"]


def rounds(
    turns: int = 3,
    imitated: float = 0.5,
    again: Again = "base",
    writer: Writer = "last",
    samples: int = 4,
    traces: int = 32,
    sft_lr: float = 5e-4,
) -> tuple[int, float, Again, Writer, int, int, float]:
    """Rounds of imitation and reinforcement learning.

    Args:
        turns: rounds; each has as many steps.
        imitated: the share of a round's steps that imitate, in front of the others.
        again: what later rounds' imitation begins with, the base or the last model.
        writer: whose traces these are, the last model's or the reasoner's, as in the first round.
        samples: answers to each problem of which the next round's traces are taken.
        traces: how many are imitated in a step.
        sft_lr: learning rate of the imitation.
    """
    return turns, imitated, again, writer, samples, traces, sft_lr


def planned(made: World, chosen: Mapping[str, Any]) -> list[Stage]:
    """The stages of all rounds: `sft-1`, `rl-1`, `own-2`, `sft-2`, `rl-2`, …"""
    turns, imitated, again, writer, samples, traces, sft_lr = asked(rounds, chosen)
    solved = made.train
    assert isinstance(solved, Captioned)
    whole = solved.whole
    numbers = {name: chosen[name] for name in ("prompts", "group", "lr", "rows")}
    stages: list[Stage] = []
    task: Source
    done, last = 0, "base"
    for turn in range(1, turns + 1):
        steps = max(chosen["steps"], 1) * turn // turns - done
        taught, task = round(imitated * steps), solved
        if taught:
            if turn > 1 and writer == "last":
                stages.append(Regenerated(f"own-{turn}", last, whole, made.reward, samples, most=1))
                task = f"own-{turn}"
            parent = last if again == "last" else "base"
            told = {**numbers, "prompts": traces, "lr": sft_lr}
            stages.append(Learned(f"sft-{turn}", parent, sft(), task, made.reward, taught, told))
            last = f"sft-{turn}"
        if steps > taught:
            name, left = f"rl-{turn}", steps - taught
            stages.append(Learned(name, last, chosen["method"], whole, made.reward, left, numbers))
            last = name
        done += steps
    return stages


@optioned(grpo(beta=0.01), reasoned, rounds, steps=48, prompts=16, group=8, lr=3e-4, rows=None, problems=None)
def openvlthinker(chosen: Mapping[str, Any]) -> Run:
    """Rounds of one policy in the world of `reasoned`."""
    made = asked(reasoned, chosen)
    staged = Staged(made.policy, planned(made, chosen), seed=chosen["seed"], runtime=chosen["runtime"])
    ends = [end for stage, end in zip(staged.stages, staged.ends, strict=True) if isinstance(stage, Learned)]
    steps = staged.steps if chosen["steps"] else 0
    return measured(staged, made, {"steps": steps, "problems": chosen["problems"], "at": ends})


def by_round(metrics: Lines, evaluations: Lines) -> dict[str, float]:
    """Held-out accuracy where the k-th imitation ended, `taught-k`, and where the k-th stage of reinforcement learning
    did, `round-k`; and how much the last is above the first, `more-taught` and `more-round`."""
    told = {line["step"]: line["reward"] for line in evaluations}
    ends = {line["stage"]: line for line in metrics if "rows/kept" not in line}
    learned = [("taught" if line.get("rows/demonstrated") else "round", told[line["step"]]) for line in ends.values()]
    found: dict[str, float] = {}
    for kind in ("taught", "round"):
        values = [value for name, value in learned if name == kind]
        found |= {f"{kind}-{turn}": value for turn, value in enumerate(values, 1)}
        if len(values) > 1:
            found[f"more-{kind}"] = values[-1] - values[0]
    return found


SMOKE = {"turns": 1, "imitated": 0.0}

CLAIM = Claim(
    sentence="Imitation of right traces and reinforcement learning in turns: imitation brings out reasoning that the "
    "base seldom shows, reinforcement learning makes it better, and so the traces and the answers of the next round.",
    source="Deng et al. 2025, arXiv:2503.17352",
    budget="48 updates for every arm, on 32 traces each or on 8 answers to each of 16 problems, of the same 256; half "
    "of each of three rounds is imitation, or a sixth of a single one. Rounds draw four answers more to each problem. "
    "Every arm chooses its learning rate from two, SFT alone from two of its own.",
    scaled_down="a LLaVA of 0.45 million parameters whose tower was taught what is in each patch, for Qwen2.5-VL 7B; a "
    "program that reads captions with mistakes, for R1; sums of prices of coloured shapes, for mathematics with "
    "pictures; all rounds ask the same problems. Metrics are those of 512 held-out pictures, an answer each, "
    "temperature 1; `more-` is how much the third round is above the first, where its imitation ended (`taught`) and "
    "where it ended itself (`round`).",
    real="rlft run stages --plan rounds.toml --model Qwen/Qwen2.5-VL-7B-Instruct --chat --lora 64 "
    "--eval-data test.jsonl",
    metric="reward",
    table=("thinks", "caption", "tokens", "taught-1", "round-1", "taught-2", "round-2", "taught-3", "round-3"),
    shared=(),
    seeds=6,
    grid={"lr": (1e-4, 3e-4)},
    # A base that has hardly begun writes nothing right that it could imitate.
    smoke={"steps": 4, "turns": 2, "writer": "reasoner", "imitation": 48, "looks": 1, "prompts": 4, "traces": 4}
    | {"group": 4, "pictures": 16, "held_out": 2},
    more=by_round,
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "sft": Arm("SFT on the reasoner's traces", {"turns": 1, "imitated": 1.0}, grid={"sft_lr": (5e-4, 1e-3)}),
        "rl": Arm("GRPO alone", {"turns": 1, "imitated": 0.0}),
        "one": Arm("SFT on the reasoner's traces, then GRPO", {"turns": 1, "imitated": 1 / 6}),
        "rounds": Arm("three rounds of both, SFT from the base", {}, seeds=16),
        "last": Arm("three rounds of both, SFT from the last model", {"again": "last"}),
        "reasoner": Arm("three rounds, always on the reasoner's traces", {"writer": "reasoner"}, seeds=16),
    },
    statements=[
        above("three rounds are better than the base", "rounds", "base", least=0.1),
        above("than SFT alone", "rounds", "sft", least=0.0),
        above("than GRPO alone", "rounds", "rl", least=0.1),
        above("than rounds that keep to the reasoner's traces", "rounds", "reasoner", least=0.0),
        above("SFT brings out the reasoning", "sft", "base", least=0.5, of="thinks"),
        above("from the traces of the last model SFT learns more", "rounds", least=0.05, of="more-taught"),
        above("the third round is better than the first", "rounds", least=0.02, of="more-round"),
        *checks(
            below("the base seldom thinks", "base", most=0.25, of="thinks"),
            below("GRPO alone does not come to it", "rl", most=0.25, of="thinks"),
            above("more than from the reasoner's", "rounds", "reasoner", least=0.03, of="more-taught"),
            above("one round with as many updates does better", "one", "rounds", least=0.03),
            above("to go on from the last model is better", "last", "rounds", least=0.0),
        ),
    ],
)
