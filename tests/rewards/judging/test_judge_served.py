"""A judge behind `transformers serve`, which takes much that it does not do."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.rewards.judging.judge import judge
from rlft.types import Problem, UserError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn", "openai")),
        reason="`transformers serve` needs transformers[serving]",
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Where a model of random weights is served, and its folder."""
    folder = tmp_path_factory.mktemp("served") / "model"
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz ?:")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}:"
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=256), tokenizer).save(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", str(folder), "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    program = Path(sys.executable).parent / "transformers"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    code = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    start = [str(program)] if program.exists() else [sys.executable, "-c", code]
    process = subprocess.Popen([*start, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(30)


def _wait(url, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def test_replies_come_and_are_counted(served):
    url, model = served
    reward = judge(url=url, model=model, prompt="{completion}", reads="([a-z?: ])", max_tokens=12, concurrency=2)
    result = reward([Problem(0, "a?")] * 3, ["a", "b", "a"])
    assert result.watch["requests"].tolist() == [1, 1, 0]
    assert result.watch["tokens"][0] > 1
    assert result["judge"].isnan().all()  # letters are no verdict


def test_what_it_takes_and_does_not_do_is_said(served):
    url, model = served
    reward = judge(url=url, model=model, prompt="{completion}", reads="p(yes)", max_tokens=1)
    with pytest.raises(UserError, match="took `logprobs` and sent none"):
        reward([Problem(0, "a?")], ["a"])
