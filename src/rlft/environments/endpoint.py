"""A server on loopback that speaks the chat protocol of OpenAI's clients. Knows no policy: lines, requests, answers.

Each conversation has a line of its own, an address, so that it is known who asks whatever a client sends. Requests wait
until somebody answers them.
"""

from __future__ import annotations

import functools
import itertools
import json
import queue
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rlft.errors import UserError

_HOST = "127.0.0.1"
_PATH = re.compile(r"/([0-9a-f]{16})/v1/(chat/completions|models)")
# What a client may ask for and would not get: of how to draw it is the policy that decides, and a row has one answer.
_REFUSED = ("logprobs", "top_logprobs", "stop", "functions", "audio", "logit_bias", "prediction")


_clients = itertools.count()


class Refused(Exception):
    """A request that cannot be answered; its words go back to the client with status 400."""


@dataclass(frozen=True)
class Served:
    """Where a program reaches the policy.

    url     the base URL of the OpenAI protocol, for this conversation alone
    model   what the policy is called there
    """

    url: str
    model: str
    key: str = "none"

    def client(self, **settings: Any) -> Any:
        """An `openai.OpenAI` client, waiting as long as it takes and asking once; needs the package `openai`."""
        try:
            from openai import OpenAI
        except ImportError:
            raise UserError("an agent's client is the package openai: pip install openai") from None

        pool = _connections(next(_clients) // 500)
        told = {"base_url": self.url, "api_key": self.key, "timeout": None, "max_retries": 0, "http_client": pool}
        return OpenAI(**{**told, **settings})

    def ask(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """What the policy says to all of a conversation; needs no package. `ConnectionError` where it is over."""
        asked = json.dumps({"model": self.model, "messages": list(messages)}).encode()
        told = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"{self.url}/chat/completions", asked, told)
        try:
            with _direct().open(request) as answer:
                return json.load(answer)["choices"][0]["message"]["content"] or ""
        except urllib.error.HTTPError as error:
            raise ConnectionError(json.load(error)["error"]["message"]) from None

    def environment(self) -> dict[str, str]:
        """The variables that OpenAI's clients read, for a program in a process of its own."""
        told = {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": self.key, "OPENAI_MODEL": self.model}
        return {**told, "NO_PROXY": _HOST, "no_proxy": _HOST}


def asynchronous(served: Served) -> Any:
    """An `openai.AsyncOpenAI` client of `served`, as its `client` is; of one event loop."""
    try:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    except ImportError:
        raise UserError("an agent's client is the package openai: pip install openai") from None

    pool = DefaultAsyncHttpxClient(verify=False, trust_env=False, timeout=None)
    return AsyncOpenAI(base_url=served.url, api_key=served.key, timeout=None, max_retries=0, http_client=pool)


@functools.cache
def _direct() -> urllib.request.OpenerDirector:
    """To loopback, past whatever proxy there is."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@functools.lru_cache(maxsize=1)
def _connections(block: int) -> Any:
    """Shared by the clients of many rows: to make one takes 20 ms. A pool has at most 1000 that wait at once."""
    from openai import DefaultHttpxClient

    return DefaultHttpxClient(verify=False, trust_env=False, timeout=None)


class Line:
    """One conversation's requests, one at a time, and their answers."""

    def __init__(self, name: str, served: Served):
        self.name, self.served = name, served
        self._asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Mapping[str, Any] | Refused] = queue.SimpleQueue()
        self._busy, self._over = threading.Lock(), ""

    def put(self, news: Any) -> None:
        """Tell whoever waits for a request something else, that there will be none for instance."""
        self._asked.put(news)

    def next(self, seconds: float) -> Any:
        """The next request, or what was `put`; `queue.Empty` after so many seconds."""
        return self._asked.get(timeout=seconds)

    def answer(self, said: Mapping[str, Any]) -> None:
        """Answer the request that was taken last with this chat completion."""
        self._told.put(said)

    def refuse(self, words: str) -> None:
        """Refuse that request."""
        self._told.put(Refused(words))

    def hang_up(self, words: str) -> None:
        """Refuse the request that waits, if one does, and all that come."""
        self._over = words
        if self._busy.locked():
            self.refuse(words)

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A client's request: wait for its answer."""
        if not self._busy.acquire(blocking=False):
            raise Refused("a conversation has one request at a time: wait for the answer before you ask again")
        try:
            if self._over:
                raise Refused(self._over)
            self._asked.put(request)
            told = self._told.get()
        finally:
            self._busy.release()
        if isinstance(told, Refused):
            raise told
        return told


class Endpoint:
    """The server, on a port of its own, as long as the process lives."""

    def __init__(self, model: str = "policy"):
        self.model = model
        self.lines: dict[str, Line] = {}
        self._server = _Server((_HOST, 0), _handler(self.lines, model))
        threading.Thread(target=self._server.serve_forever, daemon=True, name="rlft-endpoint").start()

    def open(self) -> Line:
        """A new line."""
        name = secrets.token_hex(8)
        host, port = self._server.server_address[:2]
        self.lines[name] = line = Line(name, Served(f"http://{host}:{port}/{name}/v1", self.model))
        return line

    def close(self, line: Line, words: str) -> None:
        """Nobody answers on this line any more."""
        line.hang_up(words)
        self.lines.pop(line.name, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # a step's conversations may all begin at once


def _handler(lines: Mapping[str, Line], model: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are no news."""

        def do_GET(self) -> None:
            listed = {"object": "list", "data": [{"id": model, "object": "model", "created": 0, "owned_by": "rlft"}]}
            self._reply(200, listed) if self._place()[1] == "models" else self._fail(404, "there is nothing here")

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name, asks = self._place()
            if asks != "chat/completions":
                self._fail(404, "only chat completions are served: POST …/v1/chat/completions")
                return
            line = lines.get(name)
            if line is None:
                self._fail(404, "this conversation is over")
                return
            try:
                request = _read(sent)
                told = line.ask(request)
            except Refused as error:
                self._fail(400, str(error))
                return
            self._stream(told) if request.get("stream") else self._reply(200, told)

        def _place(self) -> Sequence[str]:
            found = _PATH.fullmatch(self.path.partition("?")[0])
            return found.groups() if found else ("", "")

        def _fail(self, status: int, words: str) -> None:
            self._reply(status, {"error": {"message": words, "type": "invalid_request_error", "code": None}})

        def _reply(self, status: int, body: Mapping[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(body).encode())

        def _stream(self, told: Mapping[str, Any]) -> None:
            """The whole answer as one event."""
            choices = [
                {"index": 0, "delta": _delta(c["message"]), "finish_reason": c["finish_reason"]}
                for c in told["choices"]
            ]
            event = {**told, "object": "chat.completion.chunk", "choices": choices}
            self._send(200, "text/event-stream", f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # who asked has gone
                self.close_connection = True

    return Handler


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls") or ())]
    return {**message, "tool_calls": calls} if calls else dict(message)


def _read(sent: bytes) -> dict[str, Any]:
    """The request, if it asks for nothing that it would not get."""
    try:
        request = json.loads(sent)
    except ValueError:
        raise Refused("the request is not JSON") from None
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise Refused("a request has `messages`, a list of objects")
    for name in _REFUSED:
        if request.get(name) not in (None, False, [], {}):
            raise Refused(f"`{name}` is not served: what is drawn, and how, is the policy's own affair")
    if request.get("n") not in (None, 1):
        raise Refused("`n` is not served: a conversation goes on from one answer")
    if (request.get("response_format") or {}).get("type", "text") != "text":
        raise Refused("`response_format` is not served: the policy writes text")
    if request.get("tool_choice") not in (None, "auto", "none"):
        raise Refused("`tool_choice` is not served: it is the policy that decides whether it calls")
    if messages[-1].get("role") == "assistant":
        raise Refused("the last message is the assistant's: the policy goes on with nobody else's words")
    return request


def completion(model: str, content: str | None, calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A chat completion of one choice.

    calls  of tools: {"name": …, "arguments": {…}}
    """
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{secrets.token_hex(6)}",
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call.get("arguments", {}))},
            }
            for call in calls
        ]
    ended = "tool_calls" if calls else "stop"
    return {
        "id": f"chatcmpl-{secrets.token_hex(8)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": ended, "logprobs": None}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
