"""Masked diffusion: exact laws and densities, reveal rules by hand, the loss, demonstrations."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.models.token_denoiser import TokenCritic, TokenDenoiser, hidden, masked_loss
from rlft.policies.stepwise.masked import Masked, Reveal
from rlft.policies.stepwise.reveal_rules import ancestral, confident, in_random_order
from rlft.policies.stepwise.stepwise import Ahead, Foresees
from rlft.rewards.strings import random_network
from rlft.types import HasValue, Policy, Problem, Resumable, Rollouts, Savable, Showable, Teachable, UserError
from tests.policies.stepwise.exact_strings import apart, blanks, every, exact_policy, frequencies, some_law

RULES = [ancestral(), in_random_order(), confident()]
OPEN = RULES[:2]  # whose places do not depend on the network


def small(length=6, letters=4, steps=3, rule=None, classes=0, seed=0, **settings):
    net = TokenDenoiser(length, letters, classes, width=16, layers=1, seed=seed)
    rule = rule or in_random_order()
    return Masked(
        net, alphabet="ACGT"[:letters], length=length, steps=steps, rule=rule, classes=classes, **settings
    ).double()


def transitions(policy, k):
    """Every state, and the probability of going from each to each in step k."""
    states = every(policy.mask_token + 1, policy.length)
    ahead = policy.step(states, torch.full((len(states),), k), torch.zeros(len(states), dtype=torch.long))
    table = torch.zeros(len(states), len(states), dtype=torch.float64)
    for column, there in enumerate(states):
        grown = ((states == there) | (states == policy.mask_token)).all(1)
        table[:, column] = torch.where(grown, ahead.log_prob(there.expand_as(states)).exp(), 0)
    return states, table


def law_of(policy):
    """The law of the last state, summed over all ways."""
    states, _ = transitions(policy, 0)
    here = (states == policy.mask_token).all(1).double()
    for k in range(policy.steps):
        here = here @ transitions(policy, k)[1]
    whole = (states < policy.mask_token).all(1)
    assert here[~whole].sum() < 1e-12
    return here[whole]


def test_capabilities():
    policy = small(critic=True)
    for protocol in (Policy, Teachable, Resumable, Savable, Showable, HasValue, Foresees):
        assert isinstance(policy, protocol)
    assert not isinstance(small(), HasValue)
    assert isinstance(
        policy.step(policy.start(torch.zeros(2).long()), torch.zeros(2).long(), torch.zeros(2).long()), Ahead
    )


# Exact laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", OPEN)
def test_probabilities_of_a_step_add_up_to_one(rule):
    """From every state, masked or not, at every step: places and letters together."""
    policy = exact_policy(letters=2, length=3, steps=2, rule=rule)
    for k in range(2):
        _, table = transitions(policy, k)
        assert_close(table.sum(1), torch.ones(27).double(), atol=1e-12, rtol=0)
    assert (table > 0).sum() > 27  # from masks there is more than one way


@pytest.mark.parametrize("rule", OPEN)
def test_one_letter_at_a_time_draws_the_law_itself(rule):
    """With an exact denoiser; revealing several at once loses how they hang together."""
    law = some_law(8)
    joint = law.view(2, 2, 2)
    apart_ = torch.einsum("a,b,c->abc", joint.sum((1, 2)), joint.sum((0, 2)), joint.sum((0, 1))).flatten()
    assert apart(law, apart_) > 0.1
    assert_close(law_of(exact_policy(2, 3, steps=1, rule=rule, law=law)), apart_, atol=1e-12, rtol=0)
    if rule == in_random_order():
        assert_close(law_of(exact_policy(2, 3, steps=3, rule=rule, law=law)), law, atol=1e-12, rtol=0)
    else:  # two places may still be revealed at once: less often with more steps
        few, many = (apart(law_of(exact_policy(2, 3, steps=k, rule=rule, law=law)), law) for k in (3, 60))
        assert many < few / 5 < 0.05


@pytest.mark.parametrize("rule", OPEN)
def test_what_is_drawn_has_the_probability_that_is_said(rule):
    policy = exact_policy(letters=3, length=2, steps=3, rule=rule)
    rows = policy.sample(blanks(1), 8000, seed=4)
    states, first = transitions(policy, 0)
    masks = int((states == policy.mask_token).all(1).nonzero())
    seen = torch.stack([(rows.trace["states"][:, 1] == state).all(1).double().mean() for state in states])
    # 0.01 is what 8000 draws of 16 states leave
    assert apart(seen, first[masks]) < 0.02
    assert apart(frequencies(policy, rows.trace["data"]), law_of(policy)) < 0.02
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-12, rtol=0)
    if rule == ancestral():
        assert rows.mask.all(1).any() and not rows.mask.all()  # rows that are done early have no more decisions


def test_confident_takes_the_surest_places():
    logp = torch.tensor([[[0.5, 0.5], [0.1, 0.9], [0.7, 0.3]]], dtype=torch.float64).log()
    x = torch.tensor([[2, 2, 2]])
    for left, places in ((3, [False, True, False]), (2, [False, True, True]), (1, [True, True, True])):
        ahead = Reveal(x, logp, torch.tensor([left]), confident())
        drawn = ahead.draw(torch.tensor([[0.3, 0.1, 0.2, 0.6, 0.05, 0.8]]).double())
        assert (drawn < 2).tolist() == [places]
        letters = [[1, 0, 1][i] for i in range(3)]  # by .6 > .5, .05 < .1, .8 > .7
        assert [int(d) for d, p in zip(drawn[0], places, strict=True) if p] == list(itertools.compress(letters, places))
        chances = [[0.5, 0.5], [0.1, 0.9], [0.7, 0.3]]
        expected = sum(math.log(chances[i][letters[i]]) for i in range(3) if places[i])
        assert float(ahead.log_prob(drawn)) == pytest.approx(expected, abs=1e-12)
    assert Reveal(torch.tensor([[2, 0, 2]]), logp, torch.tensor([2]), confident()).filled().tolist() == [[0, 0, 0]]


def test_places_by_hand():
    masked = torch.tensor([[True, True, False, True, True, True]])
    shown = torch.tensor([[False, True, False, False, True, True]])
    two, three = torch.tensor([2]), torch.tensor([3])
    # each of 5 with chance 1/3; 3 of 5 in one of 10 ways
    assert float(ancestral().log_prob(masked, shown, three)) == pytest.approx(3 * math.log(1 / 3) + 2 * math.log(2 / 3))
    assert float(in_random_order().log_prob(masked, shown, two)) == pytest.approx(-math.log(10))
    assert float(ancestral().log_prob(masked, masked, torch.tensor([1]))) == 0
    u = torch.tensor([[0.40, 0.20, 0.01, 0.34, 0.90, 0.10]]).double()
    flat = torch.zeros(1, 6, 4).double()
    assert ancestral().reveal(flat, masked, three, u).tolist() == [[False, True, False, False, False, True]]
    assert in_random_order().reveal(flat, masked, two, u).tolist() == [[False, True, False, True, False, True]]
    assert_close(in_random_order().chances(flat, masked, two)[0], torch.tensor([0.6, 0.6, 0, 0.6, 0.6, 0.6]).double())
    assert_close(ancestral().chances(flat, masked, three)[0] * 3, masked[0].double())


@pytest.mark.parametrize(
    ("steps", "counts"), [(4, [3, 3, 2, 2]), (3, [4, 3, 3]), (10, [1] * 10), (12, [1] * 10 + [0, 0])]
)
def test_steps_reveal_alike(steps, counts):
    policy = small(length=10, steps=steps)
    rows = policy.sample(blanks(2), 2, seed=0)
    left = (rows.trace["states"] == policy.mask_token).sum(2)
    assert (left[:, :-1] - left[:, 1:]).tolist() == [counts] * 4
    assert rows.mask.tolist() == [[count > 0 for count in counts]] * 4


@pytest.mark.parametrize("rule", OPEN)
def test_kl_is_the_mean_log_ratio(rule):
    one, other = (exact_policy(2, 3, steps=2, rule=rule, law=some_law(8, seed)) for seed in (0, 5))
    states, p = transitions(one, 0)
    _, q = transitions(other, 0)
    k, label = torch.zeros(len(states), dtype=torch.long), torch.zeros(len(states), dtype=torch.long)
    found = one.step(states, k, label).kl(other.step(states, k, label))
    exactly = torch.where(p > 0, p * (p / q).log(), 0).nan_to_num().sum(1)
    assert_close(found, exactly, atol=1e-12, rtol=0)
    assert found.max() > 0.1


def test_the_letters_are_scored_and_not_the_wrong_ones():
    policy = small(rule=confident())
    rows = policy.sample(blanks(2), 3, seed=1)
    x = rows.trace["states"]
    label = torch.zeros(6, dtype=torch.long)
    for k in range(3):
        logp = policy.denoiser(x[:, k], label).log_softmax(-1)
        new = (x[:, k] == 4) & (x[:, k + 1] < 4)
        each = logp.gather(2, x[:, -1:].transpose(1, 2))[..., 0]
        assert_close(rows.logp_old[:, k], torch.where(new, each, 0).sum(1).detach(), atol=1e-12, rtol=0)


# The loss ----------------------------------------------------------------------------------------------------------


def test_masked_loss_by_hand():
    p = torch.tensor(
        [[[0.2, 0.8], [0.6, 0.4], [0.1, 0.9]], [[0.5, 0.5], [0.3, 0.7], [0.25, 0.75]]], dtype=torch.float64
    )
    tokens = torch.tensor([[0, 0, 1], [1, 1, 0]])
    masked = torch.tensor([[True, False, True], [False, False, True]])
    expected = [-(math.log(0.2) + math.log(0.9)) / 2, -math.log(0.25)]
    assert masked_loss(p.log(), tokens, masked).tolist() == pytest.approx(expected)


def test_hidden_by_hand():
    u = torch.tensor([[0.5, 0.1, 0.9, 0.3, 0.70], [0.5, 0.1, 0.9, 0.3, 0.10], [0.5, 0.1, 0.9, 0.3, 0.99]])
    found = hidden(u).tolist()  # 3, 1 and all 4 of four: those of the smallest numbers
    assert found == [[True, True, False, True], [False, True, False, False], [True] * 4]


def test_the_mean_loss_is_the_mean_over_all_orders():
    """L·E[loss], over numbers of masks and sets of places, is the likelihood of revealing one letter at a time."""
    net, tokens = TokenDenoiser(3, 2, width=8, layers=1, heads=2).double(), torch.tensor([[1, 0, 1]])
    label = torch.zeros(1, dtype=torch.long)

    def logp(masked):
        return net(tokens.masked_fill(masked, 2), label).log_softmax(-1)[0].gather(1, tokens[0][:, None])[:, 0]

    losses = []
    for count in (1, 2, 3):
        sets = [torch.tensor([[i in chosen for i in range(3)]]) for chosen in itertools.combinations(range(3), count)]
        each = [masked_loss(net(tokens.masked_fill(m, 2), label), tokens, m) for m in sets]
        losses.append(torch.stack(each).mean())
    orders = []
    for order in itertools.permutations(range(3)):
        masks = [torch.tensor([[i in order[j:] for i in range(3)]]) for j in range(3)]
        orders.append(-sum(logp(m)[order[j]] for j, m in enumerate(masks)))
    assert_close(3 * torch.stack(losses).mean(), torch.stack(orders).mean(), atol=1e-12, rtol=0)
    assert torch.stack(orders).std() > 1e-3


def answers(*strings):
    return [Problem(index=5 + i, input=None, answer=s, task="blank") for i, s in enumerate(strings)]


@pytest.mark.parametrize("rule", RULES)
def test_demonstrations_end_in_the_answer(rule):
    policy = small(rule=rule)
    rows = policy.demonstrate(answers("ACGTAC", "TTTTTA"), seed=3)
    states = rows.trace["states"]
    assert list(map(str, rows.outputs)) == ["ACGTAC", "TTTTTA"]
    assert torch.equal(states[:, -1], policy.encode(["ACGTAC", "TTTTTA"]))
    shown = states < 4
    assert (shown[:, 1:] | ~shown[:, :-1]).all() and not shown[:, 0].any()
    assert torch.equal(torch.where(shown, states, 0), torch.where(shown, states[:, -1:], 0))
    assert rows.mask.all()
    places = policy.log_prob(rows) - rows.logp_old  # what is left are the letters
    if rule == in_random_order():
        assert_close(rows.logp_old, -torch.tensor([[15, 6, 1]] * 2).double().log())
    assert (places <= 0).all() and places.min() < -1


def test_loss_on_belongs_to_the_row():
    policy = small()
    rows = policy.demonstrate(answers("ACGTAC", "TTTTTA", "GGGGCC"), seed=3)
    loss = policy.loss_on(rows)
    assert loss.shape == (3, 3) and len(loss.unique()) == 9
    assert_close(policy.loss_on(rows[[2, 0]]), loss[[2, 0]], atol=1e-12, rtol=0)
    some = replace(rows, mask=torch.tensor([[True, False, True], [False] * 3, [False, True, False]]))
    assert_close(policy.loss_on(some), torch.where(some.mask, loss, 0), atol=1e-12, rtol=0)
    longer = Rollouts(
        rows.problems, 1, rows.outputs, rows.trace, torch.ones(3, 5, dtype=torch.bool), torch.zeros(3, 5).double()
    )
    assert_close(policy.loss_on(longer)[:, :3], loss, atol=1e-12, rtol=0)
    assert not torch.equal(policy.loss_on(policy.demonstrate(answers("ACGTAC"), seed=4))[0], loss[0])


def test_imitation_learns_the_answers():
    policy = small(length=4, steps=4, block=16)
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    task = answers(*["ACGT", "ACGT", "TTGA", "ACGT"] * 4)
    for step in range(60):
        optimiser.zero_grad()
        policy.loss_on(policy.demonstrate(task, seed=step)).mean().backward()
        optimiser.step()
    drawn = list(map(str, policy.sample(blanks(1), 300, seed=0).outputs))
    assert drawn.count("ACGT") / 300 == pytest.approx(0.75, abs=0.1)
    assert drawn.count("TTGA") / 300 == pytest.approx(0.25, abs=0.1)


# Rows, classes, mistakes -------------------------------------------------------------------------------------------


def test_a_row_is_the_same_to_the_last_bit_in_float32():
    policy = small(block=5).float()
    together, alone = policy.sample(blanks(4), 3, seed=2), policy.sample(blanks(4)[2:3], 3, seed=2)
    assert torch.equal(together.trace["states"][6:9], alone.trace["states"])
    assert torch.equal(together.logp_old[6:9], alone.logp_old)
    assert torch.equal(policy.log_prob(together), together.logp_old)


def test_classes_are_told_apart():
    policy = small(classes=2)
    logp = [policy.log_prob(policy.sample([Problem(0, c, task="blank")], 1, seed=0)).sum().item() for c in (0, 1, None)]
    assert len(set(logp)) == 3
    with pytest.raises(UserError, match="asks for 2; this denoiser expects a class from 0 to 1"):
        policy.sample([Problem(0, 2)], 1, seed=0)
    with pytest.raises(UserError, match="expects None: it has no classes"):
        small().sample([Problem(0, "a prompt")], 1, seed=0)


def test_the_critic_starts_at_nothing_and_sees_the_string():
    policy = small(critic=True)
    rows = policy.sample(blanks(2), 2, seed=0)
    assert (policy.value(rows) == 0).all()
    critic = TokenCritic(6, 4)
    with torch.no_grad():
        critic.leave.weight.normal_(generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([[0, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 0]])
    values = critic(tokens, torch.ones(2), torch.zeros(2, dtype=torch.long))
    assert values[0] != values[1]


def test_mistakes_are_explained():
    policy = small()
    for wrong in ("ACG", "ACGTAX"):
        with pytest.raises(UserError, match=f"'{wrong}' is no string of 6 letters of 'ACGT'"):
            policy.demonstrate(answers(wrong), seed=0)
    with pytest.raises(UserError, match="no string for an answer"):
        policy.demonstrate(answers(7), seed=0)
    with pytest.raises(UserError, match="needs different letters"):
        Masked(torch.nn.Identity(), alphabet="AA", length=2, steps=2, rule=in_random_order())


def test_outputs_are_strings_with_tokens(tmp_path):
    policy = small()
    rows = policy.sample(blanks(1), 2, seed=0)
    assert [len(output) for output in rows.outputs] == [6, 6]
    assert rows.outputs[0].tokens == tuple(rows.trace["data"][0].tolist())
    assert policy.encode(rows.outputs).tolist() == rows.trace["data"].tolist()
    assert str(policy.decode(torch.tensor([[0, 4, 1, 4, 4, 3]]))[0]) == "A_C__T"
    assert policy.show(rows.outputs[0])["text"] == str(rows.outputs[0])
    assert len(random_network(alphabet="ACGT", length=6)(rows.problems, rows.outputs)) == 2
    policy.save(tmp_path / "m")
    assert (tmp_path / "m" / "weights.safetensors").exists()
