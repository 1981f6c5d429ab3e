"""What judges replied, by content: in memory, and in a file that outlives the run. Asks nobody."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlft.errors import UserError


@dataclass(frozen=True)
class Reply:
    """What a server answered to one request.

    text    what the judge wrote; "" where it would not
    ended   why it ended, `finish_reason`
    read    tokens of the request, and `wrote` of the reply, as the server counts them; -1 where it does not
    soft    p(yes) and p(no), where they were asked for
    model   what the server calls who answered
    """

    text: str
    ended: str = "stop"
    read: int = -1
    wrote: int = -1
    soft: tuple[float, float] | None = None
    model: str = ""


def reply_of(said: Mapping[str, Any], soft: bool) -> Reply:
    """The first choice of an answer. `UserError` where the server left out log-probabilities that were asked for."""
    choice, usage = said["choices"][0], said.get("usage") or {}
    message = choice.get("message") or {}
    text = message.get("content")
    counted = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    read, wrote = (count if isinstance(count, int) else -1 for count in counted)
    ended, model = str(choice.get("finish_reason") or ""), str(said.get("model") or "")
    return Reply(text if isinstance(text, str) else "", ended, read, wrote, _soft(choice) if soft else None, model)


def _soft(choice: Mapping[str, Any]) -> tuple[float, float]:
    """p(yes) and p(no) at the first token that may be either; 0 and 0 where none is."""
    held = (choice.get("logprobs") or {}).get("content")
    if not held or not isinstance(held[0].get("top_logprobs"), list) or not held[0]["top_logprobs"]:
        raise UserError(
            "the judge's server took `logprobs` and sent none, so there is no p(yes): read the word with reads='yes', "
            "or use a server that sends them (vLLM and llama.cpp do, `transformers serve` does not)"
        )
    for token in held:
        found = {"yes": 0.0, "no": 0.0}
        for one in token.get("top_logprobs") or ():
            word = str(one.get("token", "")).strip(" \tĠ▁*\"'.").lower()
            if word in found:
                found[word] += math.exp(float(one["logprob"]))
        if str(token.get("token", "")).strip(" \tĠ▁*\"'.").lower() in found:
            return found["yes"], found["no"]
    return 0.0, 0.0


def key_of(asked: Mapping[str, Any]) -> str:
    """One key for all equal requests."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class Replies:
    """Replies by their keys. With a file each is written there at once, and what others add to it is read too.

    The file is JSON lines; a torn last line, of a process that was killed, is passed over.
    """

    def __init__(self, file: str = ""):
        self.kept: dict[str, Reply] = {}
        self.path = Path(file).expanduser() if file else None
        self._place = 0
        self.refresh()

    def refresh(self) -> None:
        """Read what has been added to the file."""
        if self.path is None or not self.path.exists():
            return
        try:
            with self.path.open("rb") as file:
                file.seek(self._place)
                data = file.read()
        except OSError as error:
            raise self._unusable(error) from None
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            try:
                found = json.loads(line)
                key, soft = found.pop("key"), found.pop("soft", None)
                self.kept[key] = Reply(**found, soft=None if soft is None else (float(soft[0]), float(soft[1])))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError):
                continue

    def keep(self, key: str, reply: Reply) -> None:
        """Remember a reply; `UserError` where the file cannot be written."""
        self.kept[key] = reply
        if self.path is None:
            return
        line = json.dumps({"key": key, **asdict(reply)}) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # processes of one run may share it
                size = file.seek(0, 2)
                if size:
                    file.seek(size - 1)
                    line = line if file.read(1) == b"\n" else f"\n{line}"
                file.write(line.encode())
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> UserError:
        return UserError(f"the judge's cache {self.path} cannot be used: {error.strerror}")
