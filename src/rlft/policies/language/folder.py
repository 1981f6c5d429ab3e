"""Language models in folders: what is loaded from where, and what is written so that others load it.

A folder holds a whole model, which `transformers` reads, a PEFT adapter that names its base, or a mix of such folders
(`mixed_causal`); beside it stand the tokenizer and, for a policy with a critic, `value_head.safetensors`. Nothing
here runs remote code or unpickles.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlft.policies.language.adapters import has_adapter, merged
from rlft.policies.language.tokens.scoring import Causal
from rlft.policies.perception.choose import adapted, processor_of
from rlft.policies.perception.front import Trained
from rlft.types import UserError


@dataclass(frozen=True)
class Loading:
    """How a model is read from a folder or the hub.

    Args:
        dtype: of the weights: float32, bfloat16, float64.
        device: cpu, cuda, cuda:1; a GPU where there is one.
        trust_remote_code: run code that a hub model brings along.
        tower: what is trained of a model that sees or hears besides its decoder: nothing, what comes behind the tower,
            or all. A tower that is not trained runs once for a problem. Adapters are on the decoder alone.
    """

    dtype: str = "float32"
    device: str | None = None
    trust_remote_code: bool = False
    tower: Trained = "frozen"

    @property
    def place(self) -> str:
        """The device by its name; UserError for one that is not here, and for float16 on a CPU."""
        name = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            torch.zeros((), device=name)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).split("\n")[0]
            raise UserError(f"--device {name} is not there ({reason:.80}); leave it out, or use cpu") from None
        if self.dtype == "float16" and torch.device(name).type == "cpu":
            raise UserError("--dtype float16 is for GPUs: on a CPU its numbers overflow; use float32 or bfloat16")
        return name


VALUE_HEAD = "value_head.safetensors"
MIX = "mix.json"
ADAPTER = "adapter_config.json"


def load_processor(path: str | Path, model: Causal, trust_remote_code: bool) -> Any:
    """The tokenizer of a folder or a hub id, or the processor where the model is shown something.

    An adapter folder without one has its base's.
    """
    source = located(path)
    folder = Path(source)
    if (folder / ADAPTER).is_file() and not (folder / "tokenizer_config.json").is_file():
        return load_processor(base_of(folder), model, trust_remote_code)
    tokenizer = pretrained("AutoTokenizer", source, trust_remote_code=trust_remote_code)
    causal = model.get_base_model() if has_adapter(model) else model
    return processor_of(causal, source, tokenizer, trust_remote_code)


def base_of(adapter: Path) -> str:
    """The model that an adapter folder was trained on; UserError where that was a folder which is not there."""
    base = json.loads((adapter / ADAPTER).read_text()).get("base_model_name_or_path")
    if not base or (Path(base).is_absolute() and not Path(base).is_dir()):
        raise UserError(
            f"the adapter {adapter} needs the model it was trained on, {base or 'which it does not name'}: put it "
            f"there, or write in {adapter / ADAPTER} where it is (base_model_name_or_path)"
        )
    return base


def located(path: str | Path) -> str:
    """A folder that exists and holds a model, or a hub id; UserError otherwise."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("config.json", ADAPTER, MIX)):
            raise UserError(f"{folder} is not a model: it has neither config.json nor {ADAPTER}")
        return str(folder)
    if isinstance(path, Path) or folder.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
        raise UserError(f"there is no model folder {folder}")
    if folder.parent != Path() and folder.parent.is_dir():
        raise UserError(
            f"there is no model folder {folder}, and {folder.parent} is a folder here, not an owner on the hub"
        )
    return path


def with_lora(model: Causal, rank: int) -> Causal:
    """The model frozen, with low-rank adapters on every linear layer but the head (Hu et al. 2021, arXiv:2106.09685).

    Of a model that is shown something, on those of its decoder: what the tower gives stays as it is.

    W + (alpha / rank)·B·A with alpha = 2·rank; B starts at 0, so the policy starts as its base. A model that has
    adapters already keeps them, and `rank` must be theirs.
    """
    if has_adapter(model):
        held = next(iter(model.peft_config.values())).r
        if rank != held:
            raise UserError(f"the folder holds an adapter of rank {held}, and lora={rank} was asked for; leave it out")
        return model
    if rank < 1:
        raise UserError(f"the LoRA rank is {rank}; it must be at least 1")
    peft = peft_library()
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=adapted(model), task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]), as_peft_is():
        torch.manual_seed(0)
        return peft.get_peft_model(model, config)


@contextmanager
def as_peft_is() -> Iterator[None]:
    """PEFT asks transformers for an attribute that it is about to lose; that is theirs to settle."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


def refuse_pickled(folder: Path) -> None:
    """UserError for a folder whose only weights are pickled, which may run any code when they are read."""
    if any(folder.glob("*.safetensors")):
        return
    if (folder / "adapter_model.bin").is_file():
        how = (
            "import torch, safetensors.torch as s; "
            f"s.save_file(torch.load('{folder}/adapter_model.bin'), '{folder}/adapter_model.safetensors')"
        )
    elif any(folder.glob("pytorch_model*.bin")):
        how = (
            "from transformers import AutoModelForCausalLM as A; "
            f"A.from_pretrained('{folder}', use_safetensors=False).save_pretrained('{folder}')"
        )
    else:
        return
    raise UserError(
        f"the weights in {folder} are pickled, which may run code when they are read; if you trust their source, "
        f'convert them: python -c "{how}"'
    )


def save_model(model: Causal, folder: Path, merge: bool) -> None:
    """A whole model, or an adapter with the name of its base; `merge=True` adds the adapter to the base."""
    if has_adapter(model) and merge:
        model = merged(model)
    if has_adapter(model):
        config = next(iter(model.peft_config.values()))
        base = config.base_model_name_or_path
        if not base:
            raise UserError(
                "the adapter's base model was never saved, so a folder could not name it: "
                "save the base and load it from there, or save with merge=True"
            )
        config.base_model_name_or_path = str(Path(base).resolve()) if Path(base).is_dir() else base
    model.save_pretrained(folder, state_dict=_weights(model))


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """What `state_dict` holds, as it is now: asking FSDP for a state dict would shard gathered weights again."""
    buffers = {
        f"{prefix}.{name}".lstrip("."): buffer
        for prefix, module in model.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    }
    return {name: p.data for name, p in model.named_parameters(remove_duplicate=False)} | buffers


def pretrained(kind: str, source: str, **told: Any) -> Any:
    """What a class of `transformers` reads from a folder or the hub; UserError where it cannot."""
    import transformers

    try:
        return getattr(transformers, kind).from_pretrained(source, **told)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        what = "folder" if Path(source).is_dir() else "hub id (there is no such folder)"
        raise UserError(f"cannot load the {what} {source}: {reason:.300}") from error


def dtype_named(name: str) -> torch.dtype:
    """The floating-point type of this name."""
    dtype = getattr(torch, name, None)
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise UserError(f"dtype {name!r} is not one of float32, bfloat16, float16, float64")
    return dtype


def peft_library() -> Any:
    """PEFT, or the sentence that says how to get it."""
    try:
        import peft
    except ImportError as error:
        raise UserError("an adapter needs peft: pip install 'rlft[lora]'") from error
    return peft
