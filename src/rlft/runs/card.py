"""Model cards: what a trained model is, beside it, as hubs read it: README.md with a header of YAML. Measures nothing.

No path of the machine is in it, files are called by their names. https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlft.runs.log import facts_of
from rlft.runs.model import WEIGHTS

_ADAPTER, _WHOLE, _PIPELINE = "adapter_config.json", "config.json", "model_index.json"
_PIPELINES_ADAPTER, _REMEMBERED = "pytorch_lora_weights.safetensors", "rlft.json"
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_CACHED = re.compile(r"models--(.+?)--(.+?)/snapshots/")
# Where a Python file lies, before its name.
_PLACE = re.compile(r"^[^(]*/(?=[^/(]+\.py\b)")
_NOT_MEASURES = {"step", "seconds", "problems", "samples"}
# What a language model was asked with, as its options are called.
_USED_WITH = ("chat", "system", "stop", "max_new_tokens", "tools", "agent")
# And a pipeline drew with.
_DRAWN_WITH = ("denoising_steps", "guidance", "negative", "height", "width", "num_frames")


def write_cards(model: Path, run: Path) -> None:
    """README.md beside the model, or beside each of two that learned together; `run` is the folder of its run."""
    for folder in (model, model / "one", model / "two"):
        if any((folder / name).is_file() for name in (_ADAPTER, _WHOLE, _PIPELINE, WEIGHTS)):
            (folder / "README.md").write_text(card(folder, facts_of(run), evaluations(run)))


def evaluations(run: Path) -> dict[str, dict[str, Any]]:
    """The last evaluation before and after training; nothing of one that was not made."""
    found, file = {}, run / "evaluations.jsonl"
    for line in file.read_text().splitlines() if file.is_file() else ():
        with suppress(ValueError, KeyError):
            numbers = json.loads(line)
            found[str(numbers["when"])] = numbers
    return found


def card(model: Path, facts: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of a model's folder, of a run with these facts and evaluations."""
    told = facts.get("arguments", {})
    base, hub = base_of(model, facts)
    adapter, draws = (model / _ADAPTER).is_file(), any((model / f).is_file() for f in (_PIPELINE, _PIPELINES_ADAPTER))
    language = not draws and not (model / WEIGHTS).is_file()
    method = str(facts.get("method", "reinforcement learning"))
    library = "diffusers" if draws else "peft" if adapter else "transformers" if language else "rlft"
    header: dict[str, Any] = {"library_name": library}
    if hub:
        header |= {"base_model": hub, "base_model_relation": "adapter" if adapter else "finetune"}
    drawn = "text-to-video" if _draws_films(model) else "text-to-image"
    header |= {"pipeline_tag": drawn if draws else "text-generation"} if draws or language else {}
    header |= {"datasets": [told["data"]]} if _of_the_hub(told.get("data")) and "/" in told["data"] else {}
    header["tags"] = ["rlft", "reinforcement-learning", method, *(["lora"] if told.get("lora") or adapter else [])]
    title = base or Path(str(facts.get("recipe", "A policy"))).stem
    parts = [
        f"# {title}, trained by {method}",
        _trained(told, facts, base, adapter, method),
        *_held_out(found),
        *_used(told, language),
    ]
    name = hub or base or "the base"
    parts.append(_drawing(name, adapter) if draws else _loading(name, adapter, language))
    versions = ", ".join(f"{name} {number}" for name, number in sorted(facts.get("versions", {}).items()))
    parts.append(f"Made with {versions}." if versions else "Made with rlft.")
    return f"---\n{_yaml(header)}---\n\n" + "\n\n".join(parts) + "\n"


def base_of(model: Path, facts: Mapping[str, Any]) -> tuple[str, str | None]:
    """What was trained, by its name, and by its id where a hub has it; "" where the run does not say.

    A run that went on with the model of another run has that one's base.
    """
    file = model / _ADAPTER
    given = json.loads(file.read_text()).get("base_model_name_or_path") if file.is_file() else None
    given, seen = str(given or facts.get("arguments", {}).get("model") or ""), 0
    while (run := Path(facts.get("directory", "."), given) / "run.json").is_file() and given and seen < 9:
        facts = facts_of(run.parent)
        given, seen = str(facts.get("arguments", {}).get("model") or ""), seen + 1
    if cached := _CACHED.search(given):
        given = f"{cached[1]}/{cached[2]}"
    elif not _of_the_hub(given) or Path(facts.get("directory", "."), given).exists():
        return Path(given).name, None
    return given, given


def _draws_films(model: Path) -> bool:
    """Whether what the folder remembers of drawing has a number of frames."""
    file = model / _REMEMBERED
    return file.is_file() and "num_frames" in json.loads(file.read_text())


def _of_the_hub(name: Any) -> bool:
    return isinstance(name, str) and _ID.fullmatch(name) is not None and not Path(name).exists()


def _yaml(values: Mapping[str, Any]) -> str:
    """Texts and lists of texts; JSON is YAML, and quotes what must be quoted."""
    lines = []
    for name, value in values.items():
        lines += [f"{name}:", *(f"- {json.dumps(one)}" for one in value)] if isinstance(value, list) else []
        lines += [f"{name}: {json.dumps(value)}"] if not isinstance(value, list) else []
    return "".join(f"{line}\n" for line in lines)


def _trained(told: Mapping[str, Any], facts: Mapping[str, Any], base: str, adapter: bool, method: str) -> str:
    """Who was trained on what, with what reward and method."""
    rank = told.get("lora")
    which = f"LoRA adapters{f' of rank {rank}' if rank else ''}" if adapter or rank else "All weights"
    merged = ", added into their base" if rank and not adapter and base else ""
    words = [f"{which}{f' of {base}' if base else ''}{merged}, trained by reinforcement learning with `{method}`"]
    if told.get("data"):
        data = str(told["data"])
        words.append(f"on `{data if _of_the_hub(data) else Path(data).name}`")
    elif facts.get("recipe"):
        words.append(f"by the recipe `{Path(str(facts['recipe'])).name}`")
    if teacher := told.get("teacher"):
        words.append(f"with the teacher `{teacher if _of_the_hub(teacher) else Path(str(teacher)).name}`")
    if rewards := told.get("reward"):
        names = [str(one) for one in (rewards if isinstance(rewards, list | tuple) else [rewards])]
        words.append("with the reward " + ", ".join(f"`{_PLACE.sub('', name)}`" for name in names))
    numbers = {"steps": "steps", "prompts": "problems a step", "group": "rollouts of each", "lr": "learning rate"}
    said = [f"{told[name]} {what}" for name, what in numbers.items() if told.get(name) is not None]
    return " ".join(words) + (f": {', '.join(said)}." if said else ".")


def _held_out(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table of held-out numbers; nothing where none was measured."""
    after = found.get("after")
    if after is None:
        return []
    before, measures = found.get("before", {}), [n for n in after if n not in _NOT_MEASURES and _number(after[n])]
    lines = ["| held-out | before | after |", "|---|---|---|"]
    lines += [f"| {name} | {_number(before.get(name)) or '–'} | {_number(after[name])} |" for name in measures]
    spread = after.get("interval")
    size = f"{after.get('problems')} problems, {after.get('samples')} rollouts of each"
    told = f"; 95 % interval of the reward {_number(spread[0])} to {_number(spread[1])}" if spread else ""
    return ["\n".join(lines), f"Measured on {size}{told}. They say nothing about other problems."]


def _number(value: Any) -> str:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return f"{value:.4g}" if ok else ""


def _used(told: Mapping[str, Any], language: bool) -> list[str]:
    """How it was prompted; a model that is asked otherwise is another one."""
    used = {name: told[name] for name in (_USED_WITH if language else _DRAWN_WITH) if told.get(name)}
    if "tools" in used:
        used["tools"] = [_PLACE.sub("", str(one)) for one in used["tools"]]
    if "agent" in used:
        used["agent"] = _PLACE.sub("", str(used["agent"]))
    if not used:
        return []
    return ["It was asked with " + ", ".join(f"{name} = `{json.dumps(value)}`" for name, value in used.items()) + "."]


def _drawing(base: str, adapter: bool) -> str:
    """How a pipeline is loaded."""
    lines = ["from diffusers import DiffusionPipeline", ""]
    lines.append(f'pipe = DiffusionPipeline.from_pretrained("{base if adapter else "FOLDER"}")')
    lines += ['pipe.load_lora_weights("FOLDER")'] if adapter else []
    return "\n".join(["```python", *lines, "```"])


def _loading(base: str, adapter: bool, language: bool) -> str:
    """How it is loaded."""
    if not language:
        return (
            '```python\nimport rlft\n\npolicy = rlft.load("RUN")  # the run folder; or load("FOLDER", into=policy)\n```'
        )
    if adapter:
        first = f"from peft import AutoPeftModelForCausalLM  # on {base}"
        return f'```python\n{first}\n\nmodel = AutoPeftModelForCausalLM.from_pretrained("FOLDER")\n```'
    first = "from transformers import AutoModelForCausalLM, AutoTokenizer"
    more = 'model, tokenizer = (kind.from_pretrained("FOLDER") for kind in (AutoModelForCausalLM, AutoTokenizer))'
    return f"```python\n{first}\n\n{more}\n```"
