"""Run folders as a run would leave them, for the tests of the report: language, images, points, control."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

REVISION = "3f2a9c1d5e7b8a6f4c0d2e1b9a8f7c6d5e4b3a21"


def folder(path: Path, *, info: dict[str, Any] | None = None, **files: list[dict[str, Any]]) -> Path:
    """A run folder with these records: `metrics=[...]`, `evaluations=[...]`, `samples=[...]`."""
    path.mkdir(parents=True, exist_ok=True)
    if info is not None:
        (path / "run.json").write_text(json.dumps(info))
    for name, records in files.items():
        (path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def information(method: str, steps: int, status: str = "done", **arguments: Any) -> dict[str, Any]:
    words = [w for key, v in arguments.items() if not isinstance(v, dict) for w in (f"--{key}", str(v))]
    return {
        "command": ["rlft", "train", *words, "--method", method, "--steps", str(steps), "--out", "runs/first try"],
        "recipe": "train",
        "arguments": {**arguments, "steps": steps, "prompts": 16, "group": 8, "lr": 3e-4},
        "method": method,
        "seed": 3,
        "versions": {"rlft": "0.1.0", "torch": "2.13.0", "python": "3.11.2"},
        "revision": REVISION,
        "machine": {"cpu": "2 cores", "memory": "8 GiB", "device": "cpu"},
        "started": "2031-05-04T09:12:44",
        "status": status,
        "steps": steps,
    }


def metrics(steps: int, low: float, high: float, seed: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Plausible metrics of a run whose reward rises from `low` to `high`; `more` are functions of (step, x in 0..1)."""
    draw = np.random.default_rng(seed)
    lines = []
    for step in range(1, steps + 1):
        x = step / steps
        rise = (1 - np.exp(-3.2 * x)) / (1 - np.exp(-3.2))
        reward = low + (high - low) * rise + 0.035 * draw.normal()
        sample, update = 0.34 + 0.05 * draw.random(), 0.21 + 0.03 * draw.random()
        line = {
            "step": step,
            "reward": reward,
            "reward/correct": 0.8 * reward,
            "reward/format": 0.2 * reward + 0.02 * draw.random(),
            "reward_std": 0.31 - 0.12 * x + 0.02 * draw.random(),
            "kl": 0.045 * x**1.4 * (1 + 0.2 * draw.random()),
            "length": 31 + 22 * rise + 2 * draw.normal(),
            "entropy": 1.15 - 0.55 * rise + 0.03 * draw.normal(),
            "ratio/first": 0.0 if step % 17 == 0 else 1.2e-5 * draw.random(),
            "ratio/mean": 1 + 0.002 * draw.normal(),
            "clipped": 0.02 + 0.03 * draw.random(),
            "grad_norm": 0.35 + 0.1 * draw.random() + (0.9 if step % 61 == 0 else 0),
            "loss": 0.01 * draw.normal(),
            "rows/unscored": 0,
            "seconds/sample": sample,
            "seconds/reward": 0.03,
            "seconds/credit": 0.02,
            "seconds/update": update,
            "seconds/step": sample + update + 0.06,
            "decisions_per_second": 5200 + 300 * draw.normal(),
        }
        lines.append(line | {key: function(step, x) for key, function in more.items()})
    return lines


def language(path: Path, steps: int = 200) -> Path:
    """GRPO on short sums: chat prompts, texts with parts, one completion of markup, one cut off."""
    draw = np.random.default_rng(1)
    samples = [
        {"step": step, "problem": _sum(draw), "rows": _texts(draw, good)}
        for step, good in ((1, 0.25), (steps // 2, 0.6), (steps, 0.9))
        for _ in range(3)
    ]
    evaluations = [
        {"step": 0, "name": "held-out", "reward": 0.318, "problems": 128, "samples": 4, "pass@4": 0.52}
        | {"interval": [0.279, 0.357]},
        {"step": steps // 2, "name": "held-out", "reward": 0.602, "problems": 128, "samples": 4, "pass@4": 0.79}
        | {"interval": [0.556, 0.646]},
        {"step": steps, "name": "held-out", "reward": 0.735, "problems": 128, "samples": 4, "pass@4": 0.88}
        | {"interval": [0.692, 0.774]},
        {"step": 0, "name": "longer sums", "reward": 0.11, "problems": 64, "samples": 4},
        {"step": steps, "name": "longer sums", "reward": 0.19, "problems": 64, "samples": 4},
    ]
    info = information("grpo", steps, model="models/sums-2m", data="data/sums.jsonl", reward="math", max_tokens=96)
    info["arguments"]["method_arguments"] = {"clip": 0.2, "beta": 0.01, "epochs": 1}
    lines = metrics(steps, 0.31, 0.74, seed=4)
    return folder(path, info=info, metrics=lines, evaluations=evaluations, samples=samples)


def _sum(draw: np.random.Generator) -> dict[str, Any]:
    a, b = (int(v) for v in draw.integers(11, 98, 2))
    said = f"What is {a} + {b}? Think step by step and put the answer in a box."
    messages = [{"role": "system", "content": "You are careful with sums."}, {"role": "user", "content": said}]
    return {"index": int(draw.integers(0, 9999)), "input": messages, "answer": a + b}


def _texts(draw: np.random.Generator, good: float) -> list[dict[str, Any]]:
    rows = []
    for i in range(8):
        right = bool(draw.random() < good)
        text = "First the ones, then the tens.\n6 + 7 = 13, carry one.\nThe answer is \\boxed{103}."
        if not right:
            text = "I think <b>it is</b> \\boxed{13} <script>alert(1)</script> &amp; done" if i == 2 else "The " * 90
        parts = {"correct": float(right), "format": round(float(draw.random()) * 0.1, 3)}
        reward = parts["correct"] + parts["format"]
        rows.append(
            {"kind": "text", "text": text, "reward": reward, "parts": parts, "advantage": reward - good}
            | {"truncated": not right and i != 2, "tokens": 96 if not right else 41}
        )
    return rows


def images(path: Path, steps: int = 120) -> Path:
    """DDPO on 8x8 digits: class numbers as prompts, a blurred stroke that sharpens."""
    samples = []
    for step, noise in ((1, 0.55), (steps, 0.08)):
        draw = np.random.default_rng(step)
        for digit in (0, 1, 7):
            rows = []
            for _ in range(8):
                own = noise * (0.6 + 0.8 * draw.random())
                pixels = np.clip(_digit(digit) + own * draw.normal(size=(8, 8)), -1, 1)
                rows.append(
                    {"kind": "image", "shape": [8, 8], "pixels": pixels.round(3).tolist(), "reward": 1 - own}
                    | {"advantage": 0.1, "parts": {"judge": 1 - own}}
                )
            samples.append({"step": step, "problem": {"index": digit, "input": digit}, "rows": rows})
    evaluations = [
        {
            "step": s,
            "name": "unseen judge",
            "reward": r,
            "problems": 10,
            "samples": 32,
            "interval": [r - 0.04, r + 0.04],
        }
        | {"distance to the start": d}
        for s, r, d in ((0, 0.52, 0.0), (steps, 0.81, 14.2))
    ]
    info = information("ddpo", steps, policy="digits-diffusion", task="classes", reward="judge")
    info["recipe"] = "ddpo_digits"
    lines = metrics(steps, 0.5, 0.9, seed=5)
    return folder(path, info=info, metrics=lines, evaluations=evaluations, samples=samples)


def _digit(digit: int) -> np.ndarray:
    image = -np.ones((8, 8))
    if digit == 0:
        image[1:7, 2], image[1:7, 5], image[1, 2:6], image[6, 2:6] = 1, 1, 1, 1
    elif digit == 1:
        image[1:7, 4] = 1
    else:
        image[1, 2:6], image[2:7, 4] = 1, 1
    return image


def points(path: Path, steps: int = 60) -> Path:
    """A flow policy on the plane: clouds that move to a ring, a run that is still going."""
    samples = []
    for step, radius in ((1, 0.4), (steps, 1.0)):
        draw = np.random.default_rng(step)
        rows = []
        for _ in range(24):
            angle = draw.random(30) * 2 * np.pi
            own = radius + 0.2 * draw.normal()
            cloud = np.stack([own * np.cos(angle), own * np.sin(angle)], axis=1) + 0.06 * draw.normal(size=(30, 2))
            rows.append({"kind": "points", "points": cloud.round(4).tolist(), "reward": float(-abs(1 - own))})
        samples.append({"step": step, "problem": {"index": 0, "input": None}, "rows": rows})
    info = information("flow_grpo", 200, status="running", policy="ring-flow", reward="radius")
    return folder(path, info=info, metrics=metrics(steps, -0.6, -0.1, seed=6), samples=samples)


def control(path: Path, steps: int = 300) -> Path:
    """PPO in a room with a wall: paths before and after, one series of the arm's angle, trouble in the numbers."""
    samples = []
    walls = [[0.0, 0.0, 10.0, 0.0], [0.0, 10.0, 10.0, 10.0], [0.0, 0.0, 0.0, 10.0], [10.0, 0.0, 10.0, 10.0]]
    walls.append([4.5, 0.0, 5.0, 6.5])
    for step, skill in ((1, 0.05), (steps, 0.85)):
        draw = np.random.default_rng(step)
        rows = []
        for _ in range(12):
            corner = [np.array([1.5, 1.5]), np.array([4.7, 8.0]), np.array([8.5, 1.5])]
            t = np.linspace(0, 1, 60)[:, None]
            way = np.where(t < 0.5, corner[0] + 2 * t * (corner[1] - corner[0]), 0) + np.where(
                t >= 0.5, corner[1] + (2 * t - 1) * (corner[2] - corner[1]), 0
            )
            wander = corner[0] + np.cumsum(0.25 * draw.normal(size=(60, 2)), axis=0)
            own = np.clip(skill + 0.2 * draw.normal(), 0, 1)
            path_ = np.clip(own * way + (1 - own) * wander, 0.2, 9.8)
            reward = -float(np.linalg.norm(path_[-1] - corner[2]))
            angle = (np.sin(np.linspace(0, 6, 60)) * (1 - own) + 0.05 * draw.normal(size=60)).round(4).tolist()
            rows.append(
                {"kind": "trajectory", "positions": path_.round(3).tolist(), "walls": walls, "goal": [8.5, 1.5]}
                | {"reward": reward, "series": {"arm angle": angle}}
            )
        samples.append({"step": step, "problem": {"index": 5, "input": 17}, "rows": rows})
    lines = metrics(steps, -6.0, -1.0, seed=7, **{"ratio/first": lambda s, x: 4e-4 * x})
    lines[steps // 2]["grad_norm"] = float("nan")
    lines[steps // 2 + 1]["rows/unscored"] = 3
    info = information("ppo", steps, status="stopped", task="room", policy="mlp", reward="distance")
    evaluations = [{"step": 0, "name": "unseen rooms", "reward": -5.8, "problems": 50, "samples": 1}]
    return folder(path, info=info, metrics=lines, evaluations=evaluations, samples=samples)
