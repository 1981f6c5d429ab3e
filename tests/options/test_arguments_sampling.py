"""A sampling option is a field of one value: it acts wherever tokens are drawn, or is refused with a sentence."""

import json
from dataclasses import dataclass

import pytest
import torch

from rlft.environments.dialogue import Dialogue
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.arguments import parse
from rlft.options.mix import loaded
from rlft.policies.composed.mixed import mixed
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.served import VLLM, Request
from rlft.policies.language.speculative import Speculative
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling, draw, support_of
from rlft.recipes.train import train
from rlft.tool.main import main
from rlft.types import Message, Problem, UserError

PROMPTS = [Problem(i, text) for i, text in enumerate(("ab", "b", "cab"))]
LETTERS = "abcd \n"


@dataclass(frozen=True)
class Vowelless(Sampling):
    """Sampling with an option that nobody but it knows of."""

    without: int = -1

    @property
    def truncates(self):
        return True

    def shaped(self, logits):
        here = torch.arange(logits.shape[-1]) != self.without
        scores = (logits / self.temperature).masked_fill(~here, -torch.inf)
        return scores.log_softmax(-1), here.expand_as(logits)


def model(seed=0):
    tokenizer = character_tokenizer(LETTERS)
    return Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=64, seed=seed).double(), tokenizer)


class Echo(Dialogue):
    """Answers the first turn."""

    schemas, stop = (), ()

    def respond(self, problems, messages):
        return [[Message("user", "a")] if len(said) < 2 else [] for said in messages]


def greedy(policy, length=6):
    return policy.with_sampling(temperature=0.0, max_new_tokens=length).sample(PROMPTS, 1, 0)


def test_min_p_is_a_share_of_the_likeliest():
    scores = torch.tensor([[0.5, 0.05, 0.3, 0.15]]).log()
    assert support_of(scores, 0, 1.0, 0.29).tolist() == [[True, False, True, True]]
    assert support_of(scores, 0, 1.0, 0.31).tolist() == [[True, False, True, False]]
    assert support_of(scores, 0, 0.6, 0.29).tolist() == [[True, False, True, False]]
    token, logp, support = draw(scores, torch.tensor([0.9]), Sampling(min_p=0.31))
    assert token.item() == 2 and logp.item() == pytest.approx(torch.tensor(0.3 / 0.8).log().item(), abs=1e-6)
    assert support is not None
    with pytest.raises(UserError, match=r"min_p is 1\.5"):
        Sampling(min_p=1.5)


@pytest.mark.parametrize("kind", ["alone", "mixed", "speculative", "conversation"])
def test_a_new_option_acts_in_every_policy_made_of_one(kind):
    policy = model()
    policy.sampling = Vowelless(max_new_tokens=8, without=0)
    made = {
        "alone": lambda: policy,
        "mixed": lambda: mixed([(policy, 1.0), (model(1), 0.5), (model(2), -0.5)], like=policy),
        "speculative": lambda: Speculative(policy, model(3), ahead=2),
        "conversation": lambda: Conversation(policy, Echo(), 2),
    }[kind]()
    rows = made.sample(PROMPTS, 16, seed=1)
    assert not (rows.trace["completion"][rows.mask] == 0).any()
    torch.testing.assert_close(made.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    policy.sampling = Sampling(max_new_tokens=8)
    with_all = policy.sample(PROMPTS, 16, seed=1)
    assert (with_all.trace["completion"][with_all.mask] == 0).any()


def test_the_command_line_shows_fields_and_gives_values():
    words = "--model m --data arithmetic --min-p 0.25 --stop x yz --chat --lr 1e-3"
    given = parse(train, words.split(), "rlft train")
    assert given["sampling"] == Sampling(max_new_tokens=128, min_p=0.25)
    assert given["prompting"] == Prompting(chat=True, stop=("x", "yz"))
    assert given["learning"].lr == 1e-3 and given["learning"].steps == 200


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    for seed in range(2):
        model(seed).float().save(folder / f"model-{seed}")
    rows = [{"prompt": problem.input, "answer": "a"} for problem in PROMPTS]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def said(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    assert not stopped.value.code
    return capsys.readouterr().out


def test_it_acts_in_every_command(place, capsys, tmp_path):
    """With min_p = 1 nothing but the likeliest token is left: what is drawn is greedy, whoever draws it."""
    data, told = place / "data.jsonl", ("--min-p", 1, "--max-new-tokens", 6, "--device", "cpu")
    mix = ("--mix", f"{place}/model-1:0.7")
    plain = Language.load(place / "model-0", device="cpu")
    other = loaded(str(place / "model-0"), mix[1:], Sampling(6), Prompting(), Loading(device="cpu"))
    right, mixture = ([str(text) for text in greedy(policy).outputs] for policy in (plain, other))

    words = ("--model", place / "model-0", *told)
    for laid, expected in (((), right), (mix, mixture)):
        shown = said(capsys, "sample", *words, *laid, "--prompt", "ab", "--json")
        assert json.loads(shown)["text"] == expected[0]

    out = tmp_path / "rows.jsonl"
    said(capsys, "eval", *words, *mix, "--data", data, "--reward", "exact", "--out", out, "--json")
    assert [json.loads(line)["completion"] for line in out.read_text().splitlines()] == mixture

    run = train(**parse(train, [*map(str, words), "--data", str(data), "--reward", "exact"], "rlft train"))
    assert [str(text) for text in run.trainer.policy.sample(PROMPTS, 1, 5).outputs] == right


def test_an_engine_that_cannot_refuses():
    engine = VLLM.__new__(VLLM)
    with pytest.raises(UserError, match="min_p=0"):
        engine.complete([Request([1], 4, 0)], Sampling(min_p=0.1), [2])
