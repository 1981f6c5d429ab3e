"""Agents that tests train, as users write them: with OpenAI's client, which knows nothing of training."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}


def asked_twice(problem, endpoint):
    """Ask, then ask whether it is sure; what it came to is how often it said the right number."""
    client = endpoint.client()
    messages = [{"role": "user", "content": problem["input"]}]
    right = 0
    for _ in range(2):
        reply = client.chat.completions.create(model=endpoint.model, messages=messages, temperature=0.3)
        message = reply.choices[0].message
        right += message.content == problem["answer"]
        messages += [message, {"role": "user", "content": "?"}]
    return right / 2


def calling(problem, endpoint):
    """A loop of tool calls, until there is none."""
    client = endpoint.client()
    messages = [{"role": "system", "content": "+"}, {"role": "user", "content": problem["input"]}]
    while True:
        reply = client.chat.completions.create(model=endpoint.model, messages=messages, tools=[ADD])
        message = reply.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            return float(message.content == problem["answer"])
        for call in message.tool_calls:
            given = json.loads(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": str(given["a"] + given["b"])})


ELSEWHERE = """
import sys
from openai import OpenAI
client = OpenAI(timeout=None, max_retries=0)
stream = client.chat.completions.create(
    model="any", messages=[{"role": "user", "content": sys.argv[1]}], stream=True
)
print("".join(event.choices[0].delta.content or "" for event in stream))
"""


def elsewhere(problem, endpoint):
    """A script in a process of its own, that reads where the model is from its environment."""
    words = [sys.executable, "-c", ELSEWHERE, problem["input"]]
    said = subprocess.run(
        words, env={**os.environ, **endpoint.environment()}, capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def breaking(problem, endpoint):
    """It raises where it is answered with an eight or a nine."""
    client = endpoint.client()
    messages = [{"role": "user", "content": problem["input"]}]
    for _ in range(3):
        reply = client.chat.completions.create(model=endpoint.model, messages=messages).choices[0].message.content
        if re.search("[89]", reply):
            raise ValueError(f"it said {reply}")
        messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": "?"}]
    return 1.0
