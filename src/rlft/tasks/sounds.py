"""Sounds of a second: what happens in one, and its samples. Procedural: no file is read.

Every attribute of a sound is known, so any question about it has a known answer. What is asked is `tasks.tones`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

RATE = 16000
PITCHES = {"low": 400.0, "middle": 900.0, "high": 2000.0}  # Hz
LOUDNESS = {"soft": 0.08, "loud": 0.32}  # root mean square of a full scale of 1
LENGTHS = {"short": 0.1, "long": 0.18}  # seconds
TIMBRES = ("sine", "square", "saw")
PITCHED = ("tone", "rise", "fall", "tremolo")
KINDS = (*PITCHED, "noise", "clicks")
COUNTS = (2, 3, 4, 5)
MOST = 5  # in a sound
_GAP = 0.04  # seconds from click to click
_OCTAVES = 0.8  # that a chirp goes through
_TOP = 7500.0  # Hz that no partial is above


@dataclass(frozen=True)
class Event:
    """Something that is heard for a while, from `onset` seconds on.

    kind      of `KINDS`: a tone, a chirp that rises or falls, a tone with tremolo, noise, a train of clicks
    pitch     of `PITCHES`; of a chirp in its middle; noise and clicks have none, ""
    loudness  of `LOUDNESS`
    length    of `LENGTHS`; that of clicks follows from their `count`, and they have none, ""
    """

    kind: str
    pitch: str
    loudness: str
    length: str
    count: int = 0
    onset: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return LENGTHS[self.length] if self.length else _GAP * (self.count - 1) + 0.01

    def samples(self, timbre: str, draws: np.random.Generator) -> Float[np.ndarray, "n"]:
        """Its samples, with edges of 5 ms, at its loudness; a click's peak is three times that."""
        t = np.arange(round(self.seconds * RATE)) / RATE
        if self.kind == "clicks":
            since = np.arange(len(t)) % round(_GAP * RATE) / RATE
            wave = 3 * np.cos(2 * np.pi * 3000 * since) * np.exp(-since / 0.002)
            return LOUDNESS[self.loudness] * wave
        wave = draws.standard_normal(len(t)) if self.kind == "noise" else self._voiced(t, timbre)
        edge = np.minimum(np.minimum(t, t[::-1]) / 0.005, 1.0)
        return LOUDNESS[self.loudness] / np.sqrt((wave**2).mean()) * wave * edge

    def _voiced(self, t: Float[np.ndarray, "n"], timbre: str) -> Float[np.ndarray, "n"]:
        """Σ_k sin(k φ)/k with φ' = 2π f, over partials below 7.5 kHz; of a square those with odd k alone."""
        sweep = {"rise": _OCTAVES, "fall": -_OCTAVES}.get(self.kind, 0.0)
        pitch = PITCHES[self.pitch] * 2 ** (sweep * (t / self.seconds - 0.5))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        partials = {"sine": range(1, 2), "square": range(1, 40, 2), "saw": range(1, 40)}[timbre]
        heard = [k for k in partials if k * pitch.max() < _TOP]
        wave = sum((np.sin(k * phase) / k for k in heard), np.zeros_like(t))
        return wave * (1 + 0.9 * np.sin(2 * np.pi * 30 * t)) if self.kind == "tremolo" else wave


@dataclass(frozen=True)
class Sound:
    """Events that do not overlap, in their order, in a second of white noise.

    timbre  of all that has a pitch, of `TIMBRES`
    snr     dB from a soft event down to the noise
    key     what all noise is drawn from
    """

    events: tuple[Event, ...]
    timbre: str = "sine"
    snr: float = 30.0
    key: int = 0

    def samples(self) -> Float[np.ndarray, "16000"]:
        """float32 at `RATE`, within -1 and 1."""
        draws = np.random.Generator(np.random.PCG64(self.key))
        whole = LOUDNESS["soft"] * 10 ** (-self.snr / 20) * draws.standard_normal(RATE)
        for event in self.events:
            made, start = event.samples(self.timbre, draws), round(event.onset * RATE)
            whole[start : start + len(made)] += made
        return whole.clip(-1, 1).astype(np.float32)

    @property
    def content(self) -> tuple[object, ...]:
        """See `drawn.Sensed`."""
        return ("sound", self.timbre, *self.events)

    def columns(self) -> dict[str, Any]:
        """`events` as they follow each other, each a dict of its attributes; `timbre`, `snr`."""
        return {"events": [dict(vars(event)) for event in self.events], "timbre": self.timbre, "snr": self.snr}

    def part(self) -> dict[str, Any]:
        """The samples with their rate."""
        return {"type": "audio", "audio": {"array": self.samples(), "sampling_rate": RATE}}

    def tokens(self, count: int = 25) -> Int[np.ndarray, "count 6"]:
        """What is heard in each of so many equal parts, of the event that fills most of it: its kind, from 1 in the
        order of `KINDS`, its pitch, loudness, length, count and place, from 0. 0 and -100, which no loss counts, where
        there is none, and -100 for what it does not have."""
        told = np.full((count, 6), -100)
        told[:, 0] = 0
        covered, edges = np.zeros(count), np.arange(count + 1) / count
        for place, event in enumerate(self.events):
            end = event.onset + event.seconds
            shared = (np.minimum(end, edges[1:]) - np.maximum(event.onset, edges[:-1])).clip(0)
            told[shared > covered] = [*_classes(event), place]
            covered = np.maximum(covered, shared)
        return told


CLASSES = (len(KINDS) + 1, len(PITCHES), len(LOUDNESS), len(LENGTHS), len(COUNTS), MOST)


def _classes(event: Event) -> list[int]:
    def place(listed: Sequence[Any], value: Any) -> int:
        return listed.index(value) if value in listed else -100

    return [
        KINDS.index(event.kind) + 1,
        place([*PITCHES], event.pitch),
        place([*LOUDNESS], event.loudness),
        place([*LENGTHS], event.length),
        place(COUNTS, event.count),
    ]


def event(kind: str, draw: random.Random, loudness: str = "", length: str = "") -> Event:
    """An event of this kind, whose other attributes are drawn evenly where they are not told."""
    loud = loudness or draw.choice([*LOUDNESS])
    if kind == "clicks":
        return Event(kind, "", loud, "", draw.choice(COUNTS))
    pitch = draw.choice([*PITCHES]) if kind in PITCHED else ""
    return Event(kind, pitch, loud, length or draw.choice([*LENGTHS]))


def sequenced(events: Sequence[Event], draw: random.Random, timbres: Sequence[str] = TIMBRES) -> Sound:
    """A sound in which these follow each other, each somewhere in an equal share of the second, on a hundredth."""
    share, placed = 100 / len(events), []  # in hundredths
    for place, one in enumerate(events):
        start, room = math.ceil(place * share - 1e-6), int(share - one.seconds * 100 + 1e-6)
        placed.append(replace(one, onset=(start + draw.randint(0, room - 1)) / 100))
    return Sound(tuple(placed), draw.choice(list(timbres)), draw.choice((15.0, 20.0, 30.0)), draw.getrandbits(60))
