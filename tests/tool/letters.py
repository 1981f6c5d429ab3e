"""A small model and eight rows of data in a folder, and runs of them that draw no page."""

import json
from contextlib import contextmanager

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language


@contextmanager
def no_pages():
    """Drawing takes longer than these runs, and is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlft.report.write", lambda folder, out=None: None)
        yield


def model_and_rows(folder):
    """`model` and `data.jsonl`: to say a letter, of eight."""
    tokenizer = character_tokenizer("abcdefghsay ")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer).save(folder / "model")
    rows = [{"prompt": f"say {c}", "answer": c} for c in "abcdefgh"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
