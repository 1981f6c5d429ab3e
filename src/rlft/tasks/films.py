"""Films: any number of frames of a video, with their times, as the pictures of a prompt. No model.

A film is shown by a part {"type": "video", "video": X} of a message or by a column `video` or `videos`. X is an array
[T H W 3] of uint8, a .npy file of one, a folder of pictures in the order of their names, a file that PyAV reads (mp4,
`pip install 'rlft[video]'`), {"path": …, "fps": …} or {"array": …, "fps": …}, or anything that is a `Film`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rlft.types import Problem, Task, UserError, visited

COLUMNS = ("video", "videos")
# Frames a second, where nothing says it.
_RATE = 1.0
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@runtime_checkable
class Film(Protocol):
    """Frames in the order of time.

    count  how many there are
    rate   how many a second
    """

    @property
    def count(self) -> int: ...

    @property
    def rate(self) -> float: ...

    def pictures(self, which: Sequence[int]) -> Sequence[Any]:
        """These frames, in ascending order, as pictures of a prompt; no other is drawn or read."""
        ...


def moments(count: int, frames: int) -> list[int]:
    """The frames that a view of so many has, `round(linspace(0, count - 1, frames))`; all where there are no more."""
    if frames < 1:
        raise UserError(f"a view of a film has at least one frame; got frames={frames}")
    return np.rint(np.linspace(0, count - 1, min(frames, count))).astype(int).tolist()


def film_of(held: Any) -> Film:
    """What is held, as a film; UserError for what is none."""
    if isinstance(held, Mapping):
        inner = held.get("array")
        film = film_of(held.get("path") if inner is None else inner)
        return film if held.get("fps") is None else Timed(film, float(held["fps"]))
    if isinstance(held, str | Path):
        return _file(Path(str(held).removeprefix("file://")).expanduser())
    if isinstance(held, np.ndarray):
        return Frames(held)
    if isinstance(held, Film):
        return held
    raise UserError(f"a film is an array [T H W 3], a file or a folder of pictures, not {type(held).__name__}")


class Frames:
    """An array [T H W 3] of uint8."""

    def __init__(self, array: np.ndarray, rate: float = _RATE):
        if array.ndim != 4 or array.shape[3] != 3 or array.dtype != np.uint8 or not len(array):
            raise UserError(f"a film is an array [T H W 3] of uint8, not {array.dtype} {list(array.shape)}")
        self.array, self.count, self.rate = array, len(array), rate

    def pictures(self, which: Sequence[int]) -> list[Any]:
        """See `Film`."""
        return [np.ascontiguousarray(self.array[i]) for i in which]


class Folder:
    """The pictures of a folder, in the order of their names."""

    def __init__(self, folder: Path, rate: float = _RATE):
        self.files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES)
        if not self.files:
            raise UserError(f"{folder} has no pictures ({', '.join(_PICTURES)}) to be the frames of a film")
        self.count, self.rate = len(self.files), rate

    def pictures(self, which: Sequence[int]) -> list[Any]:
        """See `Film`."""
        return [str(self.files[i]) for i in which]


class Timed:
    """A film at another rate than it says."""

    def __init__(self, film: Film, rate: float):
        if not rate > 0:
            raise UserError(f"fps is how many frames a second has, above 0; got {rate}")
        self.film, self.count, self.rate = film, film.count, rate

    def pictures(self, which: Sequence[int]) -> Sequence[Any]:
        """See `Film`."""
        return self.film.pictures(which)


class Coded:
    """A file of a container and codec that PyAV reads: decoded from its beginning, those frames that are asked for
    kept."""

    def __init__(self, file: Path):
        self.file = file
        self.count, self.rate = _measured(file, file.stat().st_mtime_ns)

    def pictures(self, which: Sequence[int]) -> list[Any]:
        """See `Film`."""
        asked, found = set(which), dict[int, Any]()
        with _opened(self.file) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in asked:
                    found[number] = frame.to_ndarray(format="rgb24")
                if number >= which[-1]:
                    break
        if not found:
            raise UserError(f"{self.file} says that it has {self.count} frames, and none of {which} can be decoded")
        last = max(found)  # a file cut off before what it says of itself
        return [found.get(i, found[last]) for i in which]


@lru_cache(maxsize=4096)
def _measured(file: Path, changed: int) -> tuple[int, float]:
    """Frames of a file and how many a second, once for a file as it is: a problem is viewed anew at every visit."""
    with _opened(file) as container:
        if not container.streams.video:
            raise UserError(f"{file} has no video in it")
        stream = container.streams.video[0]
        # Not every container says how many frames it has.
        count = stream.frames or sum(1 for _ in container.decode(stream))
        if not count:
            raise UserError(f"{file} has no frames")
        return count, float(stream.average_rate or _RATE)


def _opened(file: Path) -> Any:
    try:
        av = importlib.import_module("av")
    except ImportError:
        raise UserError(
            f"{file} is read by PyAV: pip install 'rlft[video]', or give a .npy file or a folder of pictures"
        ) from None
    try:
        return av.open(str(file))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the film {file}: {error}") from error


def _file(path: Path) -> Film:
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise UserError(f"there is no film {path}")
    if path.suffix != ".npy":
        return Coded(path)
    try:
        return Frames(np.load(path, mmap_mode="r"))
    except ValueError as error:
        raise UserError(f"cannot read the film {path}: {error}") from error


class Viewed(list[Any]):
    """Messages in which films have become frames.

    whole   the problem as it was, so that it can be viewed more densely
    frames  how many are shown in all
    """

    whole: Problem
    frames: int


def viewed(problem: Problem, frames: int) -> Problem:
    """The problem with so many frames of each of its films as pictures, behind the time of each, in seconds (`1.5s`).

    A film of a message stands where it stood, that of a column before the last user's text; a prompt that is a text
    becomes a user's message. One that was viewed before is viewed anew, and one without a film stays as it is.
    """
    whole = problem.input.whole if isinstance(problem.input, Viewed) else problem
    shown, messages = _columns(whole), whole.input
    if not shows_film(whole):
        return whole
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    found, made = [], Viewed({**message} for message in messages)
    for message in made:
        if not isinstance(message["content"], str):
            message["content"] = [one for part in message["content"] for one in _spread(part, frames, found)]
    if shown and not found:
        users = [message for message in made if message["role"] == "user"]
        if not users:
            raise UserError(f"problem {whole.index} shows a film, and no message of it is a user's")
        own = users[-1]["content"]
        own = [{"type": "text", "text": own}] if isinstance(own, str) else own
        users[-1]["content"] = [*(one for film in shown for one in _spread(film, frames, found)), *own]
    made.whole, made.frames = whole, sum(found)
    # A column of films has been told: what the model's front reads are the pictures.
    return replace(whole, input=made, columns={k: v for k, v in whole.columns.items() if k not in COLUMNS})


def shows_film(problem: Problem) -> bool:
    """Whether a problem shows a film, in a message or by a column."""
    return bool(_columns(problem)) or films_in(problem)


def films_in(problem: Problem) -> bool:
    """Whether a message of the problem shows a film."""
    messages = [] if isinstance(problem.input, str) else problem.input
    contents = [message.get("content") for message in messages if isinstance(message, Mapping)]
    return any(_is_film(part) for content in contents if isinstance(content, list) for part in content)


def frames_of(problem: Problem) -> int:
    """How many frames a problem shows; 0 where it was never viewed."""
    return problem.input.frames if isinstance(problem.input, Viewed) else 0


class Filmed:
    """The problems of a task with so many frames of each film."""

    def __init__(self, task: Task, frames: int):
        moments(1, frames)
        self.task, self.frames = task, frames
        self.name, self.split, self.size = task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index, viewed."""
        return viewed(self.task.at(index), self.frames)

    def visited(self, index: int, visit: int) -> Problem:
        """The same as it is asked in this pass."""
        return viewed(visited(self.task, index, visit), self.frames)


def _columns(problem: Problem) -> list[dict[str, Any]]:
    held = [problem.columns.get(name) for name in COLUMNS]
    values = [value for one in held for value in (one if isinstance(one, list | tuple) else [one])]
    return [{"type": "video", "video": value} for value in values if value is not None]


def _is_film(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "video"


def _spread(part: Any, frames: int, found: list[int]) -> list[Any]:
    """A part; one that is a film as times and pictures, whose number is noted."""
    if not _is_film(part):
        return [part]
    held = next((part[name] for name in ("video", "path", "url") if part.get(name) is not None), None)
    film = film_of(held)
    if part.get("fps") is not None:
        film = Timed(film, float(part["fps"]))
    which = moments(film.count, frames)
    found.append(len(which))
    told = zip(which, film.pictures(which), strict=True)
    return [
        one
        for moment, picture in told
        for one in (
            {"type": "text", "text": f"{moment / film.rate:.1f}s"},
            {"type": "image", "image": picture},
        )
    ]
