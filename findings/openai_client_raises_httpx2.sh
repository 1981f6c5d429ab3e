#!/usr/bin/env bash
# openai 3.57.0: the client no longer stands on httpx but on httpx2, another package with the same names. What a failed
# request was caused by is an exception of httpx2, which `except httpx.HTTPError` does not catch, and
# `openai.DefaultHttpxClient` is no `httpx.Client`: retries, timeouts and test doubles of agents and judges that were
# written against httpx are passed by without a word. An `httpx.Client` given by hand is taken as before, and then the
# cause is httpx's.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 httpx==0.28.1
"$place/venv/bin/python" - <<'PYTHON'
import socket

import httpx
import openai

with socket.socket() as free:  # a port where nobody listens
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def cause(**more):
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, **more)
    try:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    except openai.APIConnectionError as error:
        return error.__cause__


usual, by_hand = cause(), cause(http_client=httpx.Client(trust_env=False))
found = [type(usual).__module__, isinstance(usual, httpx.HTTPError), isinstance(by_hand, httpx.HTTPError)]
found.append(issubclass(openai.DefaultHttpxClient, httpx.Client))
print("the cause of a failed request:", found[0], "| an httpx.HTTPError:", found[1], "| with an httpx.Client:", found[2])
print("DefaultHttpxClient is an httpx.Client:", found[3])
assert found == ["httpx2", False, True, False], found
PYTHON
