"""A pair on two tables: which columns are whose, before and after an exchange, and what is refused."""

import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

from rlft.noise import row_keys, uniform
from rlft.policies.composed.pair import Pair
from rlft.types import Rollouts, UserError
from tests.fakes import Cards, Table
from tests.pairs import add, tables

PROBLEMS = [Cards().at(i) for i in (2, 5, 7)]


def test_columns_and_who_is_first():
    """Three decisions of one and four of two, in the order in which they act."""
    pair = tables()
    rows = pair.sample(PROBLEMS, 2, seed=4)
    assert rows.mask.shape == (6, 7)
    assert rows.column("turn")[0].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert rows.trace["begins"][0].tolist() == [0, 3]
    pair.exchange()
    turned = pair.sample(PROBLEMS, 2, seed=4)
    assert turned.column("turn")[0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert turned.trace["begins"][0].tolist() == [4, 0]
    assert torch.equal(pair.own(1, turned).logp_old, turned.logp_old[:, :4])
    assert torch.equal(pair.own(1, rows).logp_old, rows.logp_old[:, 3:])
    assert [len(output) for output in zip(*turned.outputs, strict=True)] == [6, 6]


def test_the_pioneer_draws_as_it_would_alone():
    pair = tables()
    rows, alone = pair.sample(PROBLEMS, 3, seed=4), pair.one.sample(PROBLEMS, 3, seed=4)
    assert torch.equal(rows.logp_old[:, :3], alone.logp_old)
    assert [first for first, _ in rows.outputs] == alone.outputs
    assert rows.problems == alone.problems


def test_the_observer_draws_for_the_merged_problem():
    """By hand: the row of its table that the pioneer's output points to, noise named after the place in the group."""
    pair = tables()
    rows = pair.sample(PROBLEMS, 3, seed=4)
    for row, (first, second) in enumerate(rows.outputs):
        asked = PROBLEMS[row // 3]
        which = (asked.input + sum(first)) % 4
        named = type(asked)(asked.index, which, task=f"cards/observer/{row % 3}", split="train", visit=0)
        u = uniform(row_keys([named], 1, 4), 4)[0]
        chances = pair.two.logits[which].softmax(-1)
        expected = [int((chances[d].cumsum(-1) < u[d]).sum()) for d in range(4)]
        ended = expected.index(0) + 1 if 0 in expected else 4
        assert second == expected[:ended]
        picked = chances[range(ended), expected[:ended]].log().detach()
        assert_close(rows.logp_old[row, 3 : 3 + ended], picked, atol=1e-12, rtol=0)
    assert len({tuple(second) for _, second in rows.outputs[:3]}) > 1


def test_outputs_say_where_they_end():
    rows = tables().sample(PROBLEMS, 4, seed=4)
    for output, (first, second) in zip(rows.outputs, (o.ends for o in rows.outputs), strict=True):
        assert (first, second) == (len(output[0]) - 1, 3 + len(output[1]) - 1)
    assert len({output.ends for output in rows.outputs}) > 3
    kept = pickle.loads(pickle.dumps(rows.outputs[1]))
    assert kept == rows.outputs[1] and kept.ends == rows.outputs[1].ends


def test_twice_exchanged_is_as_before():
    pair, still = tables(), tables()
    pair.exchange()
    assert pair.first == 1
    pair.exchange()
    assert pair.first == 0
    for name, value in still.state_dict().items():
        assert torch.equal(pair.state_dict()[name], value)
    assert torch.equal(pair.sample(PROBLEMS, 2, 1).logp_old, still.sample(PROBLEMS, 2, 1).logp_old)


def test_the_roles_are_in_the_state():
    pair, other = tables(), tables()
    pair.exchange()
    other.load_state_dict(copy.deepcopy(pair.state_dict()))
    assert other.first == 1
    assert torch.equal(pair.sample(PROBLEMS, 2, 1).logp_old, other.sample(PROBLEMS, 2, 1).logp_old)


def test_rows_of_both_orders_stand_side_by_side():
    """Joined, cut and shuffled, each decision keeps its owner, its column and its credit."""
    pair = tables()
    rows = pair.sample(PROBLEMS, 2, 1).fill(advantages=torch.arange(42.0).double().reshape(6, 7))
    pair.exchange()
    turned = pair.sample(PROBLEMS, 2, 1).fill(advantages=-torch.arange(42.0).double().reshape(6, 7))
    both = Rollouts.concat([rows, turned])[[7, 0, 11, 4]]
    assert_close(pair.log_prob(both).detach(), both.logp_old, atol=1e-12, rtol=0)
    one, two = pair.own(0, both), pair.own(1, both)
    assert one.mask.shape == (4, 3) and two.mask.shape == (4, 4)
    assert one.mask[:, 0].all() and two.mask[:, 0].all()
    assert one.advantages[:, 0].tolist() == [-11.0, 0.0, -39.0, 28.0]
    assert two.advantages[:, 0].tolist() == [-7.0, 3.0, -35.0, 31.0]
    assert one.column("turn")[:, 0].tolist() == [1, 0, 1, 0]


def test_segments_of_all_widths_are_joined():
    """One decision and six beside five and two: in seven columns there is no room for six from the sixth on."""
    parts = [Pair(Table(decisions=a, seed=a), Table(decisions=b, seed=b), add) for a, b in ((1, 6), (5, 2))]
    rows = [pair.sample(PROBLEMS, 2, 1) for pair in parts]
    both = Rollouts.concat(rows)
    assert both.mask.shape == (12, 7)
    for number, wide in enumerate((5, 6)):
        own = parts[0].own(number, both)
        assert own.mask.shape == (12, wide)
        for half, (pair, part) in enumerate(zip(parts, rows, strict=True)):
            alone, mine = pair.own(number, part), slice(6 * half, 6 * half + 6)
            width = alone.mask.shape[1]
            assert torch.equal(own.mask[mine, :width], alone.mask) and not own.mask[mine, width:].any()
            assert torch.equal(own.logp_old[mine, :width], alone.logp_old) and not own.logp_old[mine, width:].any()


def test_a_reference_stays():
    pair = tables()
    rows, reference = pair.sample(PROBLEMS, 2, 1), pair.reference()
    assert not any(p.requires_grad for p in reference.parameters())
    with torch.no_grad():
        pair.two.logits.add_(torch.arange(5.0))
    assert_close(reference.log_prob(rows), rows.logp_old, atol=1e-12, rtol=0)
    moved = (pair.log_prob(rows).detach() - rows.logp_old).abs()
    assert moved[:, 3:].max() > 0.1
    assert moved[:, :3].max() == 0
    pair.exchange()
    assert (reference.first, pair.reference().first) == (0, 1)


def test_a_critic_for_both_or_none():
    pair = tables()
    assert len(list(pair.value_parameters())) == 2
    rows = pair.sample(PROBLEMS, 2, 1)
    values = pair.value(rows)
    assert_close(values[0, :3], torch.where(rows.mask[0, :3], pair.one.critic[2], 0), atol=0, rtol=0)
    assert_close(values[0, 3:], pair.two.value(pair.own(1, rows))[0], atol=0, rtol=0)

    class Mute(torch.nn.Linear):
        sample = Table.sample
        log_prob = Table.log_prob

    half = Pair(Table(), Mute(1, 1), add)
    assert not list(half.value_parameters())
    with pytest.raises(UserError, match="no critics"):
        half.value(rows)


def test_common_weights_are_refused():
    table = Table()
    with pytest.raises(UserError, match="weights in common"):
        Pair(table, table, add)
    Pair(table.requires_grad_(False), table, add)  # frozen ones may be


def test_rows_that_do_not_pair_are_refused():
    pair = tables()
    with pytest.raises(UserError, match="6 rows of the pioneer and 3 of the observer"):
        pair.joined(pair.one.sample(PROBLEMS, 2, 0), pair.two.sample(PROBLEMS, 1, 0))
