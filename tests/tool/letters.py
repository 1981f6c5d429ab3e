"""A small model and eight rows of data in a folder."""

import json

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language


def model_and_rows(folder):
    """`model` and `data.jsonl`: to say a letter, of eight."""
    tokenizer = character_tokenizer("abcdefghsay ")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer).save(folder / "model")
    rows = [{"prompt": f"say {c}", "answer": c} for c in "abcdefgh"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
