"""A stand-in for the package `verifiers` in its classic protocol: an environment, its data, a client."""

import asyncio
import sys
import types


class Posing:
    """Rows ask for a digit, twice. Right in the end is 1, anything else 0.25."""

    def __init__(self, count=2, fails=False):
        self.rows = [
            {"prompt": [{"role": "user", "content": str(i)}], "answer": str(i), "example_id": i, "info": None}
            for i in range(count)
        ]
        self.fails, self.loops, self.seen = fails, [], []

    def get_dataset(self):
        return self.rows

    def get_eval_dataset(self):
        return self.rows[::-1]

    async def run_rollout(self, input, client, model, sampling_args):
        self.loops.append(asyncio.get_running_loop())
        self.seen.append(input)
        if self.fails:
            return {"reward": 0.0, "error": "no sandbox"}
        messages = list(input["prompt"])
        for turn in range(2):
            said = await client.client.chat.completions.create(model=model, messages=messages)
            messages.append({"role": "assistant", "content": said.choices[0].message.content})
            if turn == 0:
                messages.append({"role": "user", "content": "!"})
        return {"reward": 1.0 if messages[-1]["content"] == input.get("answer") else 0.25, "error": None}


class Client:
    """Of a client of the package openai."""

    def __init__(self, client):
        self.client = client


def library(**environments):
    """The package, with these environments: name -> a function of what it is loaded with."""
    made, clients = types.ModuleType("verifiers"), types.ModuleType("verifiers.clients")

    def load_environment(name, **arguments):
        if name not in environments:
            raise ValueError(f"Could not import '{name}' environment.")
        return environments[name](**arguments)

    made.load_environment, clients.OpenAIChatCompletionsClient = load_environment, Client
    return {"verifiers": made, "verifiers.clients": clients}


def put_in(monkeypatch, **environments):
    """Have this library be the one that is imported."""
    from rlft.environments import verified

    verified._loaded.cache_clear()
    for name, module in library(**environments).items():
        monkeypatch.setitem(sys.modules, name, module)
