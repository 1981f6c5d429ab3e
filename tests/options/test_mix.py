"""`--mix`: what the words mean, what is laid over what, and what is refused."""

import pytest
from torch.testing import assert_close

from rlft.options.mix import loaded, parsed
from rlft.policies.composed.mixed import mixed
from rlft.policies.language.enumeration import every_row
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.policies.mix import emulated, guided
from rlft.types import UserError
from tests.policies.composed.test_mixed_language import PROMPT, by_row, tiny


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("large", "tuned", "small")):
        tiny(seed, length=2).save(root / name)
    return {name: str(root / name) for name in ("large", "tuned", "small")}


def test_the_words():
    assert parsed("runs/polite:1.5") == ("runs/polite", None, 1.5)
    assert parsed("chat:base:-0.5") == ("chat", "base", -0.5)
    for wrong in ("runs/polite", "runs/polite:much", ":1", "a::1", "a:b:c:1", "a:nan"):
        with pytest.raises(UserError, match="TUNED:WEIGHT or TUNED:REFERENCE:WEIGHT"):
            parsed(wrong)


def laid(folders, *mix):
    return loaded(folders["large"], mix, Sampling(2, 0.7), Prompting(), Loading("float64", "cpu"))


def test_differences_to_the_model_and_to_another(folders):
    large, tuned, small = (tiny(seed, length=2) for seed in range(3))
    rows = every_row(large, PROMPT)

    def of(*mix):
        found = laid(folders, *mix)
        assert (found.sampling.temperature, found.sampling.max_new_tokens) == (0.7, 2)
        return by_row(found, rows)

    def expected(terms):
        return by_row(mixed(terms).with_sampling(temperature=0.7), rows)

    half = f"{folders['tuned']}:0.5"
    assert_close(of(half), expected(guided(large, tuned, 0.5)), atol=1e-12, rtol=0)
    emulation = f"{folders['tuned']}:{folders['small']}:1"
    assert_close(of(emulation), expected(emulated(large, tuned, small)), atol=1e-12, rtol=0)
    both = expected([(large, 1.0), (tuned, 1.5), (large, -0.5), (small, -1.0)])
    assert_close(of(half, emulation), both, atol=1e-12, rtol=0)
    assert (of(half) - of(emulation)).abs().max() > 0.01


def test_nothing_to_mix_is_the_model_itself(folders):
    rows = every_row(tiny(0, length=2), PROMPT)
    plain = tiny(0, length=2).with_sampling(temperature=0.7)
    assert_close(by_row(laid(folders), rows), by_row(plain, rows), atol=1e-12, rtol=0)


def test_the_model_keeps_its_settings_when_it_has_no_weight(folders, tmp_path):
    """--mix TUNED:1 is the tuned model, with the prompts and ends of --model."""
    policy = tiny(0, length=2)
    policy.causal.generation_config.eos_token_id = [2, 3]
    policy.save(tmp_path / "ends")
    found = laid({**folders, "large": str(tmp_path / "ends")}, f"{folders['tuned']}:1")
    assert found.ends.tolist() == policy.ends.tolist() != tiny(1).ends.tolist()
    one = found.with_sampling(max_new_tokens=1, temperature=1.0)
    rows = every_row(one, PROMPT)
    assert_close(by_row(one, rows), by_row(tiny(1), rows), atol=1e-12, rtol=0)
    with pytest.raises(UserError, match="there is no model folder"):
        laid(folders, "/nowhere/at/all:1")
