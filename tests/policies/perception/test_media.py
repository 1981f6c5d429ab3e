"""Pictures and sounds from whatever holds them."""

import io
import struct
import wave

import numpy as np
import pytest
from PIL import Image

from rlft.policies.perception.media import picture, resampled, sound, wav
from rlft.types import UserError

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_a_picture_from_whatever_holds_it(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "p.png")
    data = (tmp_path / "p.png").read_bytes()
    given = [PIXELS, PIXELS / 255, Image.fromarray(PIXELS), str(tmp_path / "p.png"), tmp_path / "p.png", data]
    given += [
        {"bytes": data, "path": None},
        {"bytes": None, "path": str(tmp_path / "p.png")},
        f"file://{tmp_path}/p.png",
    ]
    for held in given:
        assert np.array_equal(np.asarray(picture(held)), PIXELS)
    grey = PIXELS[:, :, 0]
    assert np.array_equal(np.asarray(picture(grey)), np.repeat(grey[..., None], 3, 2))
    for wrong in (PIXELS.astype(np.int64), np.zeros((3, 4, 5), np.uint8), b"nothing", PIXELS - 0.5):
        with pytest.raises(UserError):
            picture(wrong)


def made(samples, width, channels=1):
    """A wav file by the standard library."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        scaled = np.round(samples * 2.0 ** (8 * width - 1)).astype(np.int64)
        if width == 1:
            file.writeframes((scaled + 128).astype(np.uint8).tobytes())
        else:
            file.writeframes(b"".join(int(v).to_bytes(width, "little", signed=True) for v in scaled.flatten()))
    return buffer.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_files_of_integers(width):
    samples = np.array([0.0, 0.25, -0.5, 0.75, -1.0])
    read, rate = wav(made(samples, width))
    assert rate == 8000 and np.array_equal(read, samples.astype(np.float32))


def test_wav_files_of_floats_and_of_two_channels(tmp_path):
    samples = np.array([0.1, -0.2, 0.3], dtype=np.float32)
    form = struct.pack("<HHIIHH", 3, 1, 16000, 64000, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    body += b"data" + struct.pack("<I", 12) + samples.tobytes()
    whole = b"RIFF" + struct.pack("<I", len(body)) + body
    assert np.array_equal(wav(whole)[0], samples)
    (tmp_path / "s.wav").write_bytes(whole)
    for held in (whole, str(tmp_path / "s.wav"), {"bytes": whole}, {"array": samples, "sampling_rate": 16000}, samples):
        assert np.array_equal(sound(held, None, 16000), samples)
    both = np.array([[0.5, 0.25], [-0.5, 0.0]])
    assert np.array_equal(wav(made(both, 2, channels=2))[0], np.array([0.375, -0.25], dtype=np.float32))
    for wrong in (b"ID3 something", whole[:36], np.zeros((2, 3)), "no/such.wav"):
        with pytest.raises(UserError):
            sound(wrong, None, 16000)


def test_a_tone_is_the_same_tone_at_another_rate():
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)

    assert np.abs(resampled(tone(8000), 8000, 16000) - tone(16000)).max() < 1e-5
    assert np.abs(sound(tone(44100), 44100, 16000) - tone(16000)).max() < 1e-5
    assert sound(np.array([0, 32767], dtype=np.int16), None, 16000).tolist() == [0.0, 1.0]
