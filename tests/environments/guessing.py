"""A stand-in for an environment that OpenEnv serves: it speaks the same wire, and one package is enough for it."""

import contextlib
import json
import threading


class Guessing:
    """Sessions in which a number, the seed's remainder by 3, is to be said first, in three attempts: 1, 0.5 or 0.25."""

    def __init__(self, capacity=99, words=("Guess", "No")):
        self.capacity, self.words, self.resets, self.open = capacity, words, [], 0
        from websockets.sync.server import serve

        self.server = serve(self._session, "127.0.0.1", 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}"

    def _session(self, wire):
        self.open += 1
        number = attempts = 0
        if self.open > self.capacity:  # told before anything is asked, and closed
            wire.send(json.dumps({"type": "error", "data": {"code": "CAPACITY_REACHED", "message": "full"}}))
            return
        for text in _until_closed(wire):
            message = json.loads(text)
            data = message["data"]
            if message["type"] == "reset":
                self.resets.append(data)
                number, attempts = data["seed"] % 3, 0
                seen = {"observation": {"text": self.words[0], "metadata": {}}, "reward": None, "done": False}
                wire.send(json.dumps({"type": "observation", "data": seen}))
            elif list(data) != ["guess"] or data["guess"] == "bad":
                code = "EXECUTION_ERROR" if data.get("guess") == "bad" else "VALIDATION_ERROR"
                wire.send(json.dumps({"type": "error", "data": {"code": code, "message": "Field required"}}))
            else:
                right, attempts = data["guess"].startswith(str(number)), attempts + 1
                said = {"text": "" if right else self.words[1], "attempts": attempts, "metadata": {"hidden": number}}
                seen = {"observation": said, "reward": 0.5 ** (attempts - 1) * right, "done": right or attempts == 3}
                wire.send(json.dumps({"type": "observation", "data": seen}))


def _until_closed(wire):
    """What comes, also of a client that hangs up."""
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        yield from wire
