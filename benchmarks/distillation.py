"""What a student comes to that is pulled to its teacher on its own rows, beside one that imitates the teacher's texts.

    python benchmarks/distillation.py [--teacher FOLDER]       prints a table (a minute or two on one core)

The student is the teacher without its last layers. Both ways have the same updates, prompts and rows; measured is the
distance KL(student || teacher) a token on the student's own rows, exact, for held-out prompts, before and after. The
teacher is a causal language model in FOLDER that goes on with stories, or without one a small model that adds.
"""

import argparse
import copy
import time
from dataclasses import replace

import torch

from rlft.methods.on_policy_distillation import on_policy_distillation
from rlft.methods.sft import sft
from rlft.policies.composed.taught import Taught, distance_to_teacher
from rlft.policies.language.policy import Language
from rlft.tasks.arithmetic import Arithmetic
from rlft.training.trainer import Trainer
from rlft.types import Problem
from rlft.worlds import sums

WHO, WHAT = ("Tom", "Lily", "Sam", "Mia", "Ben", "Anna", "Max", "Sue"), ("a dog", "the park", "a ball", "her mom")
OPENINGS = ("Once upon a time, {} saw {}", "One day {} went to see {}", "{} was happy because of {}", "{} had {}")


class Stories:
    """Beginnings of stories; those of two names are held out."""

    name, size = "stories", None

    def __init__(self, split: str = "train"):
        self.split = split

    def at(self, index: int) -> Problem:
        names = WHO[:-2] if self.split == "train" else WHO[-2:]
        opening, rest = OPENINGS[index % 4], index // 4
        text = opening.format(names[rest % len(names)], WHAT[rest // len(names) % 4])
        return Problem(index, text, task=self.name, split=self.split)


class Said:
    """The problems of a task with what the teacher has written for them as their demonstrations."""

    size = None

    def __init__(self, task, teacher: Language):
        self.task, self.teacher, self.name, self.split = task, teacher, task.name, task.split
        self.texts: dict[int, str] = {}

    def at(self, index: int) -> Problem:
        if index not in self.texts:  # some at a time: one alone takes nearly as long
            problems = [self.task.at(place) for place in range(index - index % 64, index - index % 64 + 64)]
            outputs = self.teacher.sample(problems, 1, 0).outputs
            self.texts |= {problem.index: str(output) for problem, output in zip(problems, outputs, strict=True)}
        return replace(self.task.at(index), demonstration=self.texts[index])


def smaller(teacher: Language, layers: int) -> Language:
    """The teacher without its last layers."""
    student = copy.deepcopy(teacher)
    student.causal.model.layers = student.causal.model.layers[:-layers]
    student.causal.config.num_hidden_layers -= layers
    return student.with_model(student.causal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher")
    parser.add_argument("--layers", type=int, default=1, help="layers that the student lacks")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--lr", type=float, default=1e-3)
    told = parser.parse_args()
    torch.set_num_threads(1)
    teacher = sums.base(800) if told.teacher is None else Language.load(told.teacher, max_new_tokens=32)
    train, test = (Arithmetic(s) if told.teacher is None else Stories(s) for s in ("train", "test"))
    held_out = [test.at(index) for index in range(32)]
    print(f"{told.steps} steps of 16 prompts, 2 rows of each; the student lacks {told.layers} layers; nats a token")
    for name in ("on its own rows", "the teacher's texts"):
        policy = Taught(smaller(teacher, told.layers), copy.deepcopy(teacher))
        before, start = distance_to_teacher(policy, held_out, 4)["teacher/kl"], time.process_time()
        numbers = {"prompts": 16, "group": 2, "lr": told.lr, "seed": 0}
        if name == "on its own rows":
            trainer = Trainer(policy, on_policy_distillation(), train, lambda p, o: [0.0] * len(o), **numbers)
        else:  # a demonstration a problem: as many rows of as many problems
            trainer = Trainer(policy.student, sft(), Said(train, teacher), **{**numbers, "prompts": 32, "group": 1})
        list(trainer.run(told.steps))
        spent, after = time.process_time() - start, distance_to_teacher(policy, held_out, 4)["teacher/kl"]
        print(f"{name:<20} {before:.4f} -> {after:.4f}   {spent:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
