"""Rewards of pictures by hand, and functions of TRL's and Flow-GRPO's kind."""

import io

import numpy as np
import pytest
import torch

from rlft.options.reward import load_reward
from rlft.rewards.adapt import adapted
from rlft.rewards.pictures import brightness, colour, compressibility, incompressibility, pil_images
from rlft.types import Parts, Problem, UserError

ASKED = [Problem(0, "a cat", answer="cat", columns={"tag": "x"}), Problem(1, "a dog", columns={"tag": "y"})]
# Half red and half green, a quarter of full blue everywhere; and black.
MIXED = torch.full((2, 3, 4, 4), -1.0)
MIXED[0, 0, :2], MIXED[0, 1, 2:], MIXED[0, 2] = 1.0, 1.0, -0.5


def test_brightness_and_colour_by_hand():
    torch.testing.assert_close(brightness(ASKED, MIXED), torch.tensor([0.5 * 0.299 + 0.5 * 0.587 + 0.25 * 0.114, 0.0]))
    torch.testing.assert_close(
        colour(red=1.0, green=-0.5, blue=2.0)(ASKED, MIXED), torch.tensor([0.5 - 0.25 + 0.5, 0.0])
    )
    assert brightness(ASKED, 3 * torch.ones(2, 3, 4, 4)).tolist() == pytest.approx([1, 1])


def test_a_jpeg_s_kilobytes_are_those_of_the_file():
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise[1] = 0
    sizes = incompressibility()(ASKED, noise)
    buffer = io.BytesIO()
    pil_images(noise)[0].save(buffer, "jpeg", quality=95)
    assert float(sizes[0]) == pytest.approx(len(buffer.getvalue()) / 1000) and sizes[0] > 2 * sizes[1]
    assert torch.equal(compressibility()(ASKED, noise), -sizes)
    assert load_reward("compressibility(quality=20)")(ASKED, noise)[0] > compressibility()(ASKED, noise)[0]


def test_a_film_has_the_mean_of_its_frames():
    """Frames as Flow-GRPO has them, time before channels; Pillow's are a list for each film."""
    film = torch.stack([MIXED, torch.full_like(MIXED, 1.0)], dim=2)
    half = torch.tensor([brightness(ASKED, MIXED)[0] / 2 + 0.5, 0.5])
    torch.testing.assert_close(brightness(ASKED, film), half)
    both = torch.stack([incompressibility()(ASKED, frame) for frame in film.unbind(2)])
    torch.testing.assert_close(incompressibility()(ASKED, film), both.mean(0))
    seen = []
    adapted(lambda images, prompts, metadata: seen.append(images) or [0.0, 0.0])(ASKED, film)
    assert seen[0].shape == (2, 2, 3, 4, 4) and torch.equal(seen[0][:, 1], torch.ones(2, 3, 4, 4))
    assert [len(one) for one in pil_images(film)] == [2, 2]


def test_pillow_s_pictures_have_256_levels():
    assert np.asarray(pil_images(MIXED)[0])[0, 0].tolist() == [255, 0, 64]


def test_trl_s_kind_gets_tensors_prompts_and_rows():
    seen = []

    def score(images, prompts, prompt_metadata):
        seen.append((images, prompts, prompt_metadata))
        return images[:, 0].mean((1, 2)).numpy(), {"size": [4, 5], "name": ["a", "b"], "all": 3}

    found = adapted(score)(ASKED, MIXED)
    images, prompts, rows = seen[0]
    assert images.dtype == torch.float32 and torch.equal(images[0, 2], torch.full((4, 4), 0.25))
    assert prompts == ["a cat", "a dog"]
    assert rows == [{"prompt": "a cat", "answer": "cat", "tag": "x"}, {"prompt": "a dog", "tag": "y"}]
    assert isinstance(found, Parts) and found["score"].tolist() == [0.5, 0.0]
    assert {name: values.tolist() for name, values in found.watch.items()} == {"size": [4, 5]}


def test_flow_grpo_s_kind_has_an_average_and_parts():
    def several(images, prompts, metadata, only_strict=True):
        assert only_strict
        return {"avg": [1.0, 2.0], "ocr": [3.0, None]}, {}

    found = adapted(several)(ASKED, MIXED)
    assert found["several"].tolist() == [1, 2] and found.watch["ocr"][0] == 3 and found.watch["ocr"][1].isnan()
    added = adapted(lambda images, prompts: {"a": [1.0, 2.0], "b": [10.0, 20.0]})(ASKED, MIXED)
    assert added["a"].tolist() == [1, 2] and added["b"].tolist() == [10, 20]


def test_pillow_s_pictures_are_given_where_they_are_asked_for():
    found = adapted(lambda pil_images: [image.getpixel((0, 0))[0] for image in pil_images])(ASKED, MIXED)
    assert found.tolist() == [255, 0]


def test_what_is_wrong_is_said():
    with pytest.raises(UserError, match="returned 1 numbers for 2 pictures"):
        adapted(lambda images: [1.0])(ASKED, MIXED)
    with pytest.raises(UserError, match=r"returned float 3.0; expected 2 numbers"):
        adapted(lambda images: 3.0)(ASKED, MIXED)
    with pytest.raises(UserError, match="for pictures"):
        adapted(lambda images: [1.0, 2.0])(ASKED, ["a text", "another"])
    with pytest.raises(UserError, match="from 1 to 100"):
        compressibility(quality=0)
