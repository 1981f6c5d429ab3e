"""One engine of `benchmarks/language.py` in a process of its own: it takes a GRPO step whenever it is told to.

Not a benchmark by itself. The weights, prompts, reward, batch and settings are the same for both engines; TRL runs with
the interpreter of its own environment, which has no rlft. For each line on its input an engine writes one line of JSON:
seconds of wall clock and of processor for the step, exclusive processor seconds of its stages, and its memory.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

for name, value in {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}.items():
    os.environ.setdefault(name, value)
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

PROBLEMS = 512
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
# A setting: counts, and by name the type of the weights.
Size = dict[str, Any]


def symbols(vocabulary: int) -> list[str]:
    """The words of the task."""
    return [f"s{i}" for i in range(vocabulary - len(SPECIAL))]


def prompts(tokenizer: Any, length: int) -> list[str]:
    """Random words, each of which is one token."""
    known = [tokenizer.decode([i]).strip() for i in range(len(tokenizer))]
    words = [word for word in dict.fromkeys(known) if word.isalnum() and word.islower()][: 2**12]
    # Pieces of words are tokens too, but not where they stand alone.
    words = [word for word in words if len(tokenizer(f"{words[0]} {word}")["input_ids"]) == 2]
    rng = random.Random(0)
    return [" ".join(rng.choice(words) for _ in range(length)) for _ in range(PROBLEMS)]


def reward(completion: str, size: Size) -> float:
    """The share of tokens that are the first word; of common characters where the vocabulary is too large for that."""
    if size["vocabulary"] < 2**14:
        return sum(word == "s0" for word in completion.split()) / size["completion"]
    return sum(completion.count(sign) for sign in "1e") / max(1, len(completion))


def make(folder: Path, size: Size) -> None:
    """Random weights in the layout of Qwen2, or of Llama where heads are told, and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    names = {word: i for i, word in enumerate([*SPECIAL, *symbols(size["vocabulary"])])}
    words: Any = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    told = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, padding_side="left", **told).save_pretrained(folder)
    kind, model = (LlamaConfig, LlamaForCausalLM) if "heads" in size else (Qwen2Config, Qwen2ForCausalLM)
    config: Any = kind(
        vocab_size=len(names),
        hidden_size=size["width"],
        intermediate_size=size.get("inner", 4 * size["width"]),
        num_hidden_layers=size["layers"],
        num_attention_heads=size.get("heads", 4),
        num_key_value_heads=size.get("key_heads", 2),
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model(config).save_pretrained(folder)


class Clock:
    """Processor seconds of named stages, those of a stage inside another taken off."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.open: list[float] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        self.open.append(0.0)
        try:
            yield
        finally:
            whole, inner = time.process_time() - start, self.open.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + whole - inner
            if self.open:
                self.open[-1] += whole

    def wrap(self, name: str, function: Callable) -> Callable:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return timed


class Turns:
    """The conversation with the benchmark: `wait` returns when a step is asked for, `done` answers."""

    def __init__(self) -> None:
        # Whatever libraries print goes to the error stream.
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.clock = Clock()

    def wait(self) -> None:
        if not sys.stdin.readline():
            os._exit(0)
        self.clock.seconds.clear()
        self.start = time.perf_counter(), time.process_time()

    def done(self, **more: float) -> None:
        wall, cpu = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        line = {"wall": wall, "cpu": cpu, "stages": self.clock.seconds, "peak_mib": held("VmHWM"), **more}
        print(json.dumps(line), file=self.out, flush=True)


def held(field: str) -> float:
    """MiB of this process: VmRSS is what it holds, VmHWM the most it held since `clear_refs` (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def ready(turns: Turns, model: Any) -> None:
    """Say what the process holds before the first step, from where on its peak counts."""
    # Weights are read when they are first needed; they are part of the start.
    for weight in model.parameters():
        weight.detach().sum()
    Path("/proc/self/clear_refs").write_text("5")
    turns.start = time.perf_counter(), time.process_time()
    turns.done(ready_mib=held("VmRSS"))


def run_trl(folder: Path, size: Size, turns: Turns) -> None:
    """`GRPOTrainer`, which waits after every optimiser step."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    clock, rows = turns.clock, size["prompts"] * size["group"]
    settings = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        per_device_train_batch_size=rows,
        num_generations=size["group"],
        max_completion_length=size["completion"],
        temperature=1.0,
        beta=0.0,
        loss_type="grpo",
        learning_rate=size.get("lr", 1e-3),
        lr_scheduler_type="constant",
        max_steps=1_000_000,
        logging_steps=1,
        gradient_checkpointing=False,
        disable_tqdm=True,
        model_init_kwargs={"dtype": size.get("dtype", "float32")},
    )

    class Waiting(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            turns.done()
            turns.wait()

    def judge(prompts: list[str], completions: list[str], **columns: Any) -> list[float]:
        return [reward(text, size) for text in completions]

    adapters = None
    if "lora" in size:
        from peft import LoraConfig

        adapters = LoraConfig(
            r=size["lora"],
            lora_alpha=2 * size["lora"],
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
    # TRL's own numbers go nowhere, as rlft's metrics do.
    trainer: Any = GRPOTrainer(
        model=str(folder),
        reward_funcs=clock.wrap("reward", judge),
        args=settings,
        train_dataset=Dataset.from_dict({"prompt": prompts(tokenizer, size["prompt"])}),
        callbacks=[Waiting()],
        processing_class=tokenizer,
        peft_config=adapters,
    )
    trainer.model.generate = clock.wrap("generate: tokens", trainer.model.generate)
    trainer._generate = clock.wrap("generate: rest", trainer._generate)
    log_probs = trainer._get_per_token_logps_and_entropies

    def scored(*args: Any, **kwargs: Any) -> Any:
        with clock.stage("forward" if torch.is_grad_enabled() else "score"):
            return log_probs(*args, **kwargs)

    trainer._get_per_token_logps_and_entropies = scored
    trainer.accelerator.backward = clock.wrap("backward", trainer.accelerator.backward)
    trainer.create_optimizer_and_scheduler(1_000_000)
    trainer.optimizer.step = clock.wrap("optimiser", trainer.optimizer.step)
    trainer.accelerator.clip_grad_norm_ = clock.wrap("optimiser", trainer.accelerator.clip_grad_norm_)
    ready(turns, trainer.model)
    turns.wait()
    trainer.train()


class Words:
    """The prompts as a task."""

    name, split, size = "words", "train", PROBLEMS

    def __init__(self, problems: list[Any]):
        self.problems = problems

    def at(self, index: int) -> Any:
        return self.problems[index]


def run_rlft(folder: Path, size: Size, turns: Turns) -> None:
    """Our Trainer with the same settings."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rlft import products
    from rlft.methods.grpo import grpo
    from rlft.policies.language import policy as language
    from rlft.policies.language.folder import with_lora
    from rlft.policies.language.policy import Language
    from rlft.training.trainer import Trainer
    from rlft.types import Problem

    if size.get("mkl"):  # as on a processor where oneDNN is no faster
        products.mkl_is_slower = lambda: False
    clock = turns.clock
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, size.get("dtype", "float32")))
    model = with_lora(model, size["lora"]) if "lora" in size else model
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    policy: Any = Language(model, tokenizer, max_new_tokens=size["completion"], chat=False)
    task = Words([Problem(i, text) for i, text in enumerate(prompts(tokenizer, size["prompt"]))])

    def judge(problems: Any, outputs: Any) -> torch.Tensor:
        return torch.tensor([reward(text, size) for text in outputs])

    batch = {"prompts": size["prompts"], "group": size["group"], "lr": size.get("lr", 1e-3)}
    trainer = Trainer(policy, grpo(beta=0.0), task, clock.wrap("reward", judge), **batch)
    language.gone_on = clock.wrap("generate: tokens", language.gone_on)
    policy.sample = clock.wrap("generate: rest", policy.sample)
    policy.log_prob = clock.wrap("forward", policy.log_prob)
    torch.Tensor.backward = clock.wrap("backward", torch.Tensor.backward)
    optimizer: Any = trainer.optimizers["policy"]
    optimizer.step = clock.wrap("optimiser", optimizer.step)
    trainer.runtime.norm = clock.wrap("optimiser", trainer.runtime.norm)
    ready(turns, model)
    while True:
        turns.wait()
        trainer.step()
        turns.done()


if __name__ == "__main__":
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    conversation = Turns()
    import torch

    torch.set_num_threads(1)
    engine, where, told = sys.argv[1:]
    {"rlft": run_rlft, "trl": run_trl}[engine](Path(where), json.loads(told), conversation)
