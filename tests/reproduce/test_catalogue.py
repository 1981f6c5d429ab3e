"""The catalogue, the states read from recipes and results, the command and the page made from them."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from rlft import recipes
from rlft.errors import UserError
from rlft.evidence import verdict
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.reproduce import catalogue, declared, results, standing
from rlft.reproduce.catalogue import KINDS, VOCABULARY, State, coverage, state, system, systems, tagged, words_of
from rlft.reproduce.catalogue_page import markdown
from rlft.reproduce.reproduce import concluded
from rlft.tool.papers import papers

CLAIM = Claim(
    sentence="The new arm is better.",
    source="Nobody 2025, arXiv:2503.00897",
    arms={"old": Arm("as it was", {"lr": 0.1}), "new": Arm("as it [is] now", {"lr": 0.2})},
    metric="score",
    statements=(
        Statement("new is better by one half", "score", "new", over="old", least=0.5),
        Statement("old is not nothing", "score", "old", least=0.25, claimed=False),
    ),
    budget="One step.",
    scaled_down="All of it.",
    real="A model is an argument.",
)
NOT_KNOWN = {kind: [] for kind in KINDS} | {
    "benchmark": ["alpamayo_r1", "loop", "human_written_cot", "cyclealign", "path_not_taken"],
    "framework": ["dictionary_translation", "uav_vl_r1", "deepvideo_r1", "alphamed", "path_not_taken"],
}
# new - old for two seeds, and what follows from its interval.
DIFFERENCES = {"reproduced": (0.75, 0.75), "not reproduced": (0.125, 0.125), "inconclusive": (0.25, 2.0)}


def run(lr=1e-3, seed=0): ...


class Planted:
    """Recipes and results of a test, in folders of its own."""

    def __init__(self, folder, monkeypatch):
        self.recipes, self.results = folder / "recipes", folder / "results"
        self.recipes.mkdir()
        self.results.mkdir()
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(declared, "RECIPES", self.recipes)
        monkeypatch.setattr(results, "FOLDER", self.results)
        monkeypatch.setenv("RLFT_CACHE", str(folder / "cache"))

    def recipe(self, key, claim=None):
        (self.recipes / f"{key}.py").write_text("CLAIM = 1\n" if claim else "def run(): ...\n")
        module = ModuleType(key)
        module.CLAIM = claim  # type: ignore[attr-defined]
        setattr(module, key, run)
        self.monkeypatch.setitem(sys.modules, f"rlft.recipes.{key}", module)
        (declared.cache_dir() / "claims.json").unlink(missing_ok=True)  # as if the sources had changed

    def result(self, key, claim, outcome="reproduced"):
        runs = {
            "old": {0: {"score": 1.0}, 1: {"score": 1.5}},
            "new": {seed: {"score": 1.0 + seed / 2 + by} for seed, by in enumerate(DIFFERENCES[outcome])},
        }
        made = {"key": key, "date": "2026-11-22", "revision": "abc1234", "digest": claim.digest(run)}
        made |= concluded(claim, runs)
        assert made["verdict"] == outcome
        results.write(self.results / f"{key}.json", made)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    return Planted(tmp_path, monkeypatch)


@pytest.fixture
def mixed(planted):
    """A recipe, a declared claim, evidence of every verdict, and one that is stale."""
    planted.recipe("eft")
    planted.recipe("jowa", CLAIM)
    for key, outcome in zip(("loop", "prdp", "svdd"), DIFFERENCES, strict=True):
        planted.recipe(key, CLAIM)
        planted.result(key, CLAIM, outcome)
    planted.recipe("rlg", replace(CLAIM, seeds=7))
    planted.result("rlg", CLAIM)
    return planted


# The catalogue itself


def test_there_are_sixty_one_systems():
    """And those that were added behind them."""
    found = systems()
    assert len(found) >= 61 and [one.number for one in found] == list(range(1, len(found) + 1))
    for name in ("key", "name", "title", "adds", "experiment"):
        assert len({getattr(one, name) for one in found}) == len(found), name
    assert (found[0].key, found[22].key, found[60].key) == ("tensorbleu", "loop", "openvlthinker")


@pytest.mark.parametrize("one", systems(), ids=lambda one: one.key)
def test_a_system_is_described(one):
    assert one.key.isidentifier() and one.key == one.key.lower()
    assert one.adds.endswith(".") and one.experiment.endswith(".")
    assert not re.search(r"[|\n\[\]]", "".join([one.name, one.title, one.adds, one.experiment]))
    assert re.fullmatch(r"\d{4}\.\d{5}", one.arxiv) and 2000 + int(one.arxiv[:2]) == one.year
    for place in (one.code, one.data):
        assert place is None or re.fullmatch(r"[\w.-]+/[\w.-]+", place)
    for kind, words in one.tags().items():
        assert (words or one.key in NOT_KNOWN[kind]) and len(set(words)) == len(words), kind
        assert set(words) <= set(words_of(kind)) and (kind in VOCABULARY or len(words) <= 5), kind


def test_arxiv_numbers_are_of_one_paper_each():
    numbers = [one.arxiv for one in systems()]
    assert len(numbers) == len(set(numbers)) == 61
    assert system("prdp").arxiv == "2402.08714"


def test_every_word_is_used_and_belongs_to_one_kind():
    words = [word for kind in KINDS for word in words_of(kind)]
    assert len({word.casefold() for word in words}) == len(words)
    for kind, known in VOCABULARY.items():
        assert {word for one in systems() for word in one.tags()[kind]} == set(known)


def test_a_benchmark_is_spelled_one_way():
    """Letters and digits alone tell them apart: neither MATH500 beside MATH-500, nor AIME24 beside AIME 2024."""
    plain = [re.sub("[^a-z0-9]|20(?=[0-9]{2}$)", "", word.casefold()) for word in words_of("benchmark")]
    assert len(set(plain)) == len(plain) > 60
    assert not any(re.search(r"[|`\n\[\]]", word) for word in words_of("benchmark"))


def test_what_is_not_known_is_counted():
    """A system's closed tags are all known. Whoever finds one of these strikes it out; a list may only shrink."""
    assert catalogue.not_known() == NOT_KNOWN
    assert sum(map(len, NOT_KNOWN.values())) <= 10
    assert str(state("rft_taxonomy")) == f"map, {sum(map(len, NOT_KNOWN.values()))} tags unknown"
    assert str(State("survey")) == "map, complete"


def test_an_unknown_key_is_given_the_nearest():
    assert system("loop").name == "LOOP"
    with pytest.raises(UserError, match="unknown system 'lop'; did you mean loop"):
        system("lop")
    with pytest.raises(UserError, match="unknown system"):
        state("lop")


def test_title():
    assert catalogue.title("pi_rl") == "π_RL"
    assert catalogue.title("my_own") == "my_own"


def test_tagged():
    assert [one.key for one in tagged("audio")][:2] == ["r1_aqa", "rft_taxonomy"]
    assert [one.key for one in tagged("libero")] == ["pi_rl"] and "rex_thinker" in [one.key for one in tagged("EasyR1")]
    assert tagged("grpo") == tagged("GRPO") and 10 < len(tagged("GRPO")) < len(systems())
    with pytest.raises(UserError, match="unknown tag 'vidoe'; did you mean video"):
        tagged("vidoe")


def test_coverage_has_every_system_in_every_cell_of_its_tags():
    table = coverage("modality", "changes")
    assert list(table) == list(VOCABULARY["modality"]) and list(table["text"]) == list(VOCABULARY["changes"])
    assert table["image"]["loss"][:3] == ["loop", "kandinsky5", "prdp"]
    assert not {one.key for one in systems()[:61]} & set(table["biology"]["loss"])
    cells = sorted((row, column, key) for row in table for column in table[row] for key in table[row][column])
    pairs = sorted((row, column, one.key) for one in systems() for row in one.modality for column in one.changes)
    assert cells == pairs and {key for _, _, key in cells} == {one.key for one in systems()}
    assert coverage("algorithm", "reward")["inference"]["metric"][:1] == ["svdd"]
    assert coverage("framework", "benchmark")["RLinf"]["LIBERO"] == ["pi_rl"]
    with pytest.raises(UserError, match="unknown kind of tag 'modal'"):
        coverage("modal")


# What stands in the repository


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_with_a_claim_has_a_state(name):
    assert declared.has_recipe(name)
    assert state(name).declared == declared.declares(name) == (name in declared.claims())


def test_a_committed_result_is_of_a_recipe_with_a_claim():
    for path in results.FOLDER.glob("*.json"):
        found = results.read(path)
        assert found["key"] == path.stem and declared.declares(path.stem), path.name
        assert found["verdict"] in catalogue.VERDICTS and not found["smoke"]


def test_verdicts_are_those_that_are_judged():
    assert catalogue.VERDICTS == (verdict.REPRODUCED, verdict.NOT_REPRODUCED, verdict.INCONCLUSIVE)


# States


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 0\nCLAIM = Claim()\n", True),
        ("CLAIM: Claim = Claim()\n", True),
        ("CLAIM: Claim\n", False),
        ("def f():\n    CLAIM = Claim()\n", False),
        ('"""Text.\nCLAIM = \n"""\n', False),
        ("CLAIMS = 1\n", False),
    ],
)
def test_a_claim_is_seen_in_the_syntax(planted, text, found):
    (planted.recipes / "loop.py").write_text(text)
    assert declared.declares("loop") is found
    assert not declared.declares("svdd")


def test_states(mixed):
    assert state("vlm_r1") == State("none") and str(state("vlm_r1")) == "no recipe yet"
    assert state("eft") == State("recipe") and str(state("eft")) == "recipe"
    assert state("jowa") == State("recipe", declared=True) and str(state("jowa")) == "claim declared"
    assert state("loop") == State("evidence", True, "reproduced", "2026-11-22", "abc1234")
    assert [str(state(key)) for key in ("prdp", "svdd")] == ["not reproduced", "inconclusive"]
    assert state("rlg").stale and str(state("rlg")) == "reproduced (stale)"


def test_a_claim_of_ones_own_needs_no_place_in_the_catalogue(mixed, capsys):
    assert catalogue.others() == [] and "not in the list" not in markdown()
    mixed.recipe("my_own", CLAIM)
    mixed.recipe("my_run")
    assert catalogue.others() == ["my_own"] and str(state("my_own")) == "claim declared"
    assert "- `my_own`: claim declared" in markdown().splitlines()
    mixed.result("my_own", CLAIM)
    assert "- [my_own](evidence/my_own.md): reproduced" in markdown().splitlines()
    papers()
    assert "claims besides: my_own (reproduced)" in capsys.readouterr().out.splitlines()


def test_stale_is_what_was_made_for_another_claim(planted):
    planted.recipe("loop", CLAIM)
    planted.result("loop", CLAIM)
    assert not state("loop").stale
    planted.recipe("loop", replace(CLAIM, sentence="In other words.", budget="The same."))
    assert not state("loop").stale
    stricter = (replace(CLAIM.statements[0], least=0.6), CLAIM.statements[1])
    planted.recipe("loop", replace(CLAIM, statements=stricter))
    assert state("loop").stale and state("loop").declared
    planted.recipe("loop")  # no claim any more
    assert state("loop").stale and not state("loop").declared
    (planted.recipes / "loop.py").unlink()
    assert state("loop").stale


def test_a_digest_is_asked_once_for_the_same_sources(planted, monkeypatch):
    asked = []

    class Asked:
        def digest(self, recipe):
            asked.append(1)
            return f"digest {len(asked)}"

    planted.recipe("loop", Asked())
    assert [declared.digest("loop") for _ in range(3)] == ["digest 1"] * 3
    monkeypatch.setattr(declared, "_sources", lambda: "others")
    assert [declared.digest("loop") for _ in range(2)] == ["digest 2"] * 2
    (declared.cache_dir() / "claims.json").write_text("{damaged")
    assert declared.digest("loop") == "digest 3"
    monkeypatch.setenv("RLFT_CACHE", "/proc/nowhere")
    assert declared.digest("loop") == "digest 4"


# The command


def test_the_list(mixed, capsys):
    assert papers() == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line.split() and line.split()[0] in {s.key for s in systems()}}
    assert list(rows) == [one.key for one in systems()]
    assert all(line.rstrip().endswith(str(state(key))) for key, line in rows.items())
    assert "LOOP" in rows["loop"] and "PPO for diffusion" in rows["loop"]
    assert lines[-1] == (
        f"{len(systems())} systems: 6 with a recipe, 5 of them with a claim; 4 with evidence "
        "(2 reproduced, 1 not reproduced, 1 inconclusive, 1 of a claim that was changed since); "
        "1 a map of the field, whose evidence is this catalogue"
    )


def test_the_list_of_a_tag(mixed, capsys):
    papers(tag="Biology")
    said = capsys.readouterr().out
    assert "svdd" in said and "loop" not in said
    assert "1 system: 1 with a recipe, 1 of them with a claim; 1 with evidence (0 reproduced" in said
    assert said.rstrip().endswith(f"(of {len(systems())}, those tagged Biology)")


def test_one_system_without_evidence(mixed, capsys):
    papers("vlm_r1")
    said = " ".join(capsys.readouterr().out.split())
    assert "om-ai-lab/VLM-R1" in said and "vision-language" in said and "no recipe yet" in said
    assert "2504.07615" in said and "run it" not in said
    papers("jowa")
    assert "rlft reproduce jowa" in capsys.readouterr().out


def test_one_system_with_evidence(mixed, capsys):
    (mixed.results / "prdp.md").write_text("It was the seeds.")
    papers("prdp")
    said = " ".join(capsys.readouterr().out.split())
    for part in ("2402.08714", "The new arm is better.", "not reproduced", "new is better by one half", "✗ fails"):
        assert part in said
    for part in ("new: as it [is] now", "One step.", "All of it.", "abc1234", "It was the seeds."):
        assert part in said
    assert "is not the one" not in said
    papers("rlg")
    assert "is not the one that this result was made for" in capsys.readouterr().out


def test_json(mixed, capsys):
    papers(json=True)
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert (
        len(rows) == len(systems()) and rows["loop"]["arxiv"] == "2503.00897" and rows["loop"]["modality"] == ["image"]
    )
    assert rows["rlg"]["state"] == vars(state("rlg")) and rows["eft"]["state"]["stage"] == "recipe"
    assert "result" not in rows["loop"]
    papers("loop", json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row["result"]["claim"]["sentence"] == CLAIM.sentence


def test_a_key_or_a_tag():
    with pytest.raises(UserError, match="a key and --tag"):
        papers("loop", tag="image")
    with pytest.raises(UserError, match="did you mean loop"):
        papers("looop")


def test_the_list_needs_no_torch_and_little_time(tmp_path):
    code = (
        "import pathlib, sys, time, tyro\n"
        "from rlft.reproduce import results\n"
        f"results.FOLDER = pathlib.Path({str(tmp_path)!r})\n"
        "from rlft.tool.papers import papers\n"
        "assert tyro.cli(papers, args=['--tag', 'text']) == 0\n"
        "print('torch' in sys.modules, time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    torch_there, seconds = done.stdout.splitlines()[-1].split()
    assert torch_there == "False" and float(seconds) < 1.0


# The page


def test_the_page_says_what_the_states_say(mixed):
    page = markdown()
    assert page == markdown()
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, len(systems()) + 1))
    for row, one in zip(rows, systems(), strict=True):
        its = state(one.key)
        assert row[1] == (f"[{one.key}](evidence/{one.key}.md)" if its.stage == "evidence" else f"`{one.key}`")
        told = " ".join(f"`{word}`" for words in one.tags().values() for word in words)
        shown = f"[{its}](taxonomy.md)" if its.stage == "survey" else str(its)
        lacking = " ".join(f"`{word}`" for word in standing.missing(one.key))
        assert row[3:] == [one.adds, shown, lacking, f"{told} |"]
        assert f"](https://arxiv.org/abs/{one.arxiv})" in row[2]
    assert page.count("](evidence/") == 4
    assert "| LOOP, 2025, [arXiv:2503.00897](https://arxiv.org/abs/2503.00897) |" in page
    assert f"**{catalogue.count_line([state(one.key) for one in systems()])}.**" in page


def test_the_page_has_the_whole_coverage(mixed):
    lines = markdown().splitlines()
    start = lines.index("## What the systems cover")
    rows = [line for line in lines[start:] if re.match(r"\| `[\w-]+` \|", line)]
    found = {}
    for line in rows:
        word, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[word.strip("`")] = [[key.strip("* ") for key in cell.split(",") if key.strip()] for cell in cells]
    assert found == {row: list(cells.values()) for row, cells in coverage().items()}
    assert "**loop**" in rows[-3] and "kandinsky5" in rows[-3] and "**kandinsky5**" not in rows[-3]
    assert all(f"`{word}`" in "\n".join(lines) for kind in KINDS for word in words_of(kind))
    assert all(key in "".join(lines[-6:]) for keys in NOT_KNOWN.values() for key in keys)
