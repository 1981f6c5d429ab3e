"""A server on loopback that speaks the chat protocol as a judge's would: deterministic, and as faulty as it is told."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StandIn:
    """Replies with what `says(text, times)` makes of a request's last message, asked for the so-many-th time.

    troubles   statuses for the next requests, each used once; "cut" closes the connection, "empty" sends `{}`
    refuses    texts that are answered 400
    asked      how often each text was answered; `bodies` are all requests
    model      what it calls who answers, if not what was asked for
    dies_at    the server is gone once so many have been answered
    """

    def __init__(self, says, troubles=(), refuses=(), logprobs=None, usage=True, dies_at=None, slow=0.0, model=""):
        self.says, self.troubles, self.refuses, self.logprobs = says, list(troubles), set(refuses), logprobs
        self.usage, self.dies_at, self.slow, self.port = usage, dies_at, slow, 0
        self.model = model
        self.asked, self.bodies, self.lock = Counter(), [], threading.Lock()
        self.server = None
        self.start()

    def start(self):
        """On the port that it had."""
        self.server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more."""
        server, self.server = self.server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size, allow_reuse_address = True, 128, True


def _handler(stand_in):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(stand_in.slow)
            self.answer(body)

        def answer(self, body):
            text = body["messages"][-1]["content"]
            with stand_in.lock:
                stand_in.bodies.append((body, dict(self.headers), self.path))
                trouble = stand_in.troubles.pop(0) if stand_in.troubles else None
                dead = stand_in.dies_at is not None and sum(stand_in.asked.values()) >= stand_in.dies_at
                if trouble is None and not dead and text not in stand_in.refuses:
                    stand_in.asked[text] += 1
                times = stand_in.asked[text]
            if trouble == "cut" or dead:
                self.close_connection = True
                return
            if trouble == "empty":
                self.send(200, {})
            elif trouble is not None:
                self.send(trouble, {"error": {"message": f"trouble {trouble}"}})
            elif text in stand_in.refuses:
                self.send(400, {"error": {"message": "this model's context is too short"}})
            else:
                self.send(200, self.completion(stand_in.says(text, times), body))

        def completion(self, said, body):
            content, ended = said if isinstance(said, tuple) else (said, "stop")
            choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": ended}
            choice["logprobs"] = stand_in.logprobs if body.get("logprobs") else None
            usage = {"usage": {"prompt_tokens": 100, "completion_tokens": 10}} if stand_in.usage else {}
            return {"object": "chat.completion", "model": stand_in.model or body["model"], "choices": [choice], **usage}

        def send(self, status, said):
            data = json.dumps(said).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "0.01")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
