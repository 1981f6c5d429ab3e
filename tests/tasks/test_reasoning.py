"""reasoning-gym: all of its data sets, the same everywhere, and each gold answer earns the full score."""

import json
import pickle

import pytest

from rlft.sandbox.child import Child
from rlft.tasks import reasoning
from rlft.tasks.reasoning import Reasoning, _asked
from rlft.types import Text, UserError

# Several answers are right and the data set gives none; only its scorer knows.
WITHOUT_ANSWER = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
# Its scorer compares bool(answer) with bool(gold), and any text is true.
GENEROUS = {"game_of_life_halting"}
# Its scorer raises on what is not a product of numbers.
RAISING = {"prime_factorization"}
# Quick ones, among them the four that read the seed elsewhere than where it is set (acre, gsm_symbolic,
# list_functions, survo), one that depends on the hash seed, and one that seeds numpy's global generator.
FEW = [
    *GENEROUS,
    *RAISING,
    "acre",
    "gsm_symbolic",
    "list_functions",
    "survo",
    "polynomial_multiplication",
    "pool_matrix",
    "chain_sum",
]
# Boards of other sizes, on which a position of this data set is found in half of the time.
QUICK = {"knight_swap": {"min_nodes": 10, "max_nodes": 12, "impossible_ratio": 0.0}}
# A question of theirs takes a quarter of a second or more: of one there is still its being drawn again.
SLOW = {"knight_swap", "arc_agi", "zebra_puzzles", "intermediate_integration", "group_anagrams", "quantum_lock"}
SLOW |= {"figlet_font", "puzzle24", "sokoban", "futoshiki", "word_ladder"}


def names():
    return _asked("names")


def problems(dataset, count, **settings):
    task = Reasoning(dataset, **settings)
    return [task.at(index) for index in range(count)]


def checked(dataset, count):
    """The contract of one data set; the number of questions that both splits have."""
    settings = QUICK.get(dataset, {})
    task = Reasoning(dataset, **settings)
    train, test = (problems(dataset, count, split=split, **settings) for split in ("train", "test"))
    assert [task.at(i) for i in reversed(range(count))] == train[::-1]
    assert json.loads(json.dumps([p.columns for p in train])) == [p.columns for p in train]
    answered = [p for p in train + test if p.answer is not None]
    assert bool(answered) != (dataset in WITHOUT_ANSWER)
    for problem in answered:
        for output in (problem.answer, f"<think>{problem.answer[::-1]}</think> <answer>{problem.answer}</answer>\n"):
            assert task.reward([problem], [Text(output)]).tolist() == [1.0]
    nonsense = task.reward(train, [Text("?")] * count)
    assert nonsense.isnan().any() == (dataset in RAISING)
    assert (nonsense == 1).any() == (dataset in GENEROUS)
    return len({p.input for p in train} & {p.input for p in test})


@pytest.mark.parametrize("dataset", FEW)
def test_a_few(dataset):
    assert checked(dataset, 4) == 0


@pytest.mark.slow
def test_all():
    shared = {dataset: both for dataset in names() if (both := checked(dataset, 2 - (dataset in SLOW)))}
    assert len(names()) >= 100
    assert len(shared) <= 5  # data sets with few questions
    assert max(shared.values(), default=0) <= 1


def test_one_item_in_words():
    first = Reasoning("chain_sum", min_terms=2, max_terms=2).at(0)
    assert first.input == "State the final answer to the following arithmetic problem: 3752 + 6283 ="
    assert (first.answer, first.task, first.split) == ("10035", "reasoning_gym:chain_sum", "train")
    assert pickle.loads(pickle.dumps(first)) == first


def test_every_part_of_the_seed_counts():
    variants = [{}, {"split": "test"}, {"min_terms": 3}]
    questions = [problems("chain_sum", 3, **settings) for settings in variants]
    seeds = {p.columns["source"]["seed"] for one in questions for p in one}
    assert len(seeds) == 9
    # reasoning-gym's seed + i makes item i+1 of one seed item i of the next
    assert all(abs(a - b) > 3 for a in seeds for b in seeds if a != b)


def test_splits_are_disjoint_where_there_is_room():
    train, test = (
        {p.input for p in problems("chain_sum", 300, split=split, min_digits=4)} for split in ("train", "test")
    )
    assert len(train) == len(test) == 300
    assert not train & test


def test_the_same_in_a_process_with_another_hash_seed(monkeypatch):
    # these two iterate over sets of strings
    here = [p.columns for name in ("polynomial_multiplication", "isomorphic_strings") for p in problems(name, 5)]
    monkeypatch.setenv("PYTHONHASHSEED", "11")
    monkeypatch.setattr(reasoning, "_gym", Child(reasoning._gym.script))
    assert here == [
        p.columns for name in ("polynomial_multiplication", "isomorphic_strings") for p in problems(name, 5)
    ]


def test_partial_scores_and_what_cannot_be_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(reasoning, "_SCORE", 1.0)
    task = Reasoning("countdown")
    problem, target = task.at(3), tmp_path / "file"
    attack = f"exec(\"open('{target}', 'w').write('x')\")"
    outputs = [Text(problem.answer), Text("1 + 1"), Text("<answer>" + attack + "</answer>"), Text("9**9**9**9")]
    scores = task.reward([problem] * 4, outputs)
    assert scores[0] == 1
    assert scores[1] < 1
    assert scores[2].isnan() or scores[2] < 1
    assert scores[3].isnan()
    assert not target.exists()


def test_finite_tasks():
    task = Reasoning("chain_sum", size=5)
    assert task.size == 5
    assert task.at(4) == Reasoning("chain_sum").at(4)
    with pytest.raises(IndexError):
        task.at(5)


@pytest.mark.parametrize(
    ("dataset", "settings", "message"),
    [
        ("chain_sums", {}, "no data set 'chain_sums'; did you mean chain_sum"),
        ("composite", {}, "no data set 'composite'"),
        ("chain_sum", {"min_term": 3}, "min_term"),
        ("chain_sum", {"min_terms": 9}, "max_terms must be"),
        ("chain_sum", {"seed": 3}, "leave out `seed`"),
    ],
)
def test_errors(dataset, settings, message):
    with pytest.raises(UserError, match=message):
        Reasoning(dataset, **settings)
