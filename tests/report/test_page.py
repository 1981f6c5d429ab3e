"""The written page: inert, self-contained, complete, quick, and written for whatever a run folder holds."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import time
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest

from rlft import report
from rlft.report import figures, pictures, samples
from tests.report import run_folders

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)></pre></style>&amp;\"'"


class Page(HTMLParser):
    """Tags with attributes, and the text between, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def written(path) -> tuple[str, Page]:
    page = report.write(path).read_text(encoding="utf-8")
    return page, Page(page)


BUILDERS = [run_folders.language, run_folders.images, run_folders.points, run_folders.control]


@pytest.mark.parametrize("build", BUILDERS)
def test_the_page_asks_for_nothing(tmp_path, build):
    """No attribute and no style reaches outside; only fragments and data URIs are referred to."""
    text, page = written(build(tmp_path))
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "@font-face" not in text
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), (tag, name, value)
    assert re.findall(r"url\((?!#)", text) == []
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.parametrize("build", BUILDERS)
def test_svg_ids_are_unique_and_every_reference_is_met(tmp_path, build):
    text, page = written(build(tmp_path))
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    references = re.findall(r"url\(#([^)]+)\)", text) + [a["href"][1:] for _, a in page.tags if a.get("href")]
    assert len(references) > 10
    assert set(references) <= set(ids)


def test_hostile_text_is_inert_wherever_it_comes_from(tmp_path):
    row = {"kind": "text", "text": HOSTILE, "reward": 1.0, "parts": {HOSTILE: 0.5}, "advantage": HOSTILE}
    problem = {"index": 1, "input": [{"role": HOSTILE, "content": HOSTILE}], "answer": HOSTILE}
    info = run_folders.information(HOSTILE, 3, status=HOSTILE, model=HOSTILE) | {"revision": HOSTILE, "error": HOSTILE}
    info |= {"seed": HOSTILE, "started": HOSTILE, "recipe": HOSTILE}
    path = run_folders.folder(
        tmp_path,
        info=info,
        metrics=[{"step": s, "reward": 0.5, HOSTILE: 1.0, f"reward/{HOSTILE}": s, "word": HOSTILE} for s in (1, 2, 3)],
        evaluations=[{"step": s, "name": HOSTILE, "reward": 0.5, HOSTILE: 1} for s in (0, 1, 3)],
        samples=[{"step": 1, "problem": problem, "rows": [row]}, {"step": 3, "problem": problem, "rows": [row]}],
    )
    _, page = written(path)
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert not [a for t, a in page.tags if t == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count("<script>alert('x')</script>") > 15


def test_everything_that_was_logged_is_on_the_page(tmp_path):
    path = run_folders.language(tmp_path, steps=40)
    _, page = written(path)
    run = report.read(path)
    shown = {"reward", "seconds/step", *figures._KNOWN}
    for key in run.logged:
        name = key.removeprefix("reward/") if key.startswith("reward/") else key.removeprefix("seconds/")
        assert key in shown or name in page.text, key
    for title, _ in figures._KNOWN.values():
        assert title in page.text
    assert "held-out reward" in page.text
    assert "[0.692, 0.774]" in page.text
    assert "Held-out reward rose from 0.318 to 0.735 (40 steps" in page.text
    assert run_folders.REVISION in page.text
    assert "method_arguments.clip" in page.text
    assert "--out 'runs/first try'" in page.text
    assert "First the ones, then the tens." in page.text
    assert "cut off at the limit" in page.text


@pytest.mark.parametrize(("revision", "changed"), [("867d998b0e97+", True), ("867d998b0e97", False), (None, False)])
def test_a_revision_with_changes_is_said_to_have_them(tmp_path, revision, changed):
    _, page = written(run_folders.folder(tmp_path, info={"command": ["rlft", "run", "x"], "revision": revision}))
    assert ("changes that were not committed" in page.text) == changed
    assert "git checkout 867d998b0e97+" not in page.text
    assert ("git checkout 867d998b0e97\n" in page.text) == (revision is not None)


def test_metrics_beyond_the_panels_are_listed(tmp_path):
    lines = [
        {"step": s, "note": f"word {s}", **{f"m{i:02d}": i * s for i in range(figures.MOST_PANELS + 2)}} for s in (1, 2)
    ]
    run = report.read(run_folders.folder(tmp_path, info={}, metrics=lines))
    assert len(figures.other_panels(run)) == figures.MOST_PANELS
    assert figures.undrawn(run) == [("m48", "96"), ("m49", "98"), ("note", "word 2")]
    assert "word 2" in written(tmp_path)[1].text


def test_the_page_shows_the_unfinished_and_the_torn(tmp_path):
    path = run_folders.points(tmp_path)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 61, "re')
    _, page = written(path)
    assert "60 of 200" in page.text
    assert "The last line of metrics.jsonl is torn" in page.text
    assert "running" in page.text


@pytest.mark.parametrize("info", [{}, {"status": "running", "steps": 5}])
def test_a_run_of_nothing_has_a_page(tmp_path, info):
    _, page = written(run_folders.folder(tmp_path, info=info))
    assert "Nothing has been measured yet." in page.text
    assert "No step has been logged yet." in page.text


def test_nan_everywhere_has_a_page(tmp_path):
    keys = ("reward", "kl", "length", "ratio/first", "seconds/sample", "seconds/step", "reward/a", "own", "grad_norm")
    lines = [{"step": s, **dict.fromkeys(keys, math.nan if s < 20 else math.inf)} for s in range(1, 31)]
    _, page = written(run_folders.folder(tmp_path, info={}, metrics=lines))
    assert "No finite value was logged." in page.text
    assert "Numbers that are not numbers" in page.text


def test_one_step_has_a_page_with_dots(tmp_path):
    text, _ = written(run_folders.folder(tmp_path, info={}, metrics=run_folders.metrics(1, 0.1, 0.2)))
    assert text.count("<svg") > 8
    assert "var(--blue)" in text


ODD = [
    {"rows": None},
    {"rows": "text"},
    {"rows": [None, 3, "x"]},
    {"problem": "a string", "rows": [{"kind": "text", "text": 5}]},
    {"problem": {"input": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}, 7]}]}}
    | {"rows": [{"kind": "text", "text": "é\ud800\x00", "reward": None, "parts": [1], "advantage": [1, 2]}]},
    {"rows": [{"kind": "image", "pixels": [[1, 2], [3]], "reward": math.nan}]},
    {"rows": [{"kind": "image", "pixels": None}, {"kind": "image", "pixels": [[[0, 0]]]}, {"kind": "image"}]},
    {"rows": [{"kind": "image", "pixels": [[math.nan, math.inf], [-5, 1e300]], "reward": "high"}]},
    {"rows": [{"kind": "points", "points": "none"}, {"kind": "points", "points": [[math.nan, 1]]}, {"kind": "points"}]},
    {"rows": [{"kind": "points", "points": [[1, 1]], "reward": math.nan}]},
    {
        "rows": [
            {"kind": "trajectory", "positions": [[1, 2], [3, 4]], "walls": [[1, 2], "x", [0, 0, 1, None]], "goal": "x"}
        ]
    },
    {"rows": [{"kind": "trajectory", "positions": [1, 2, 3], "series": {"a": [1, 2], "b": "x", "c": [], "d": [5.0]}}]},
    {"rows": [{"kind": "trajectory", "series": [1, 2]}, {"kind": "trajectory", "series": {"a": [[1], [2]]}}]},
    {"rows": [{"kind": "audio", "seconds": 3.2, "reward": 10**400}]},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_no_sample_stops_the_page(tmp_path, odd):
    _, page = written(run_folders.folder(tmp_path, info={}, samples=[{"step": 1, **odd}, {"step": 2, **odd}]))
    assert "Run it again" in page.text


@pytest.mark.parametrize(
    "info",
    [
        {"command": "rlft train", "arguments": [1], "versions": "x", "machine": 3, "steps": "many", "status": None},
        {"command": [1, None], "arguments": {"a": {}, "b": {"c": [1, {"d": None}]}, "model": {"x": 1}}, "steps": None},
        {"arguments": {"model": "m" * 500}, "steps": 1e400, "seed": 0},
    ],
)
def test_no_run_json_stops_the_page(tmp_path, info):
    odd = [
        {"step": 1, "name": None, "reward": "x", "interval": "ab"},
        {"step": 2, "interval": [1, math.nan], "problems": "x"},
    ]
    _, page = written(run_folders.folder(tmp_path, info=info, evaluations=odd, metrics=[{"step": 1, "x": {"y": 1}}]))
    assert "Run it again" in page.text


def test_a_conversation_is_shown_turn_by_turn(tmp_path):
    """What the policy said and what answered it, which is off the mask, are told apart."""
    messages = [
        {"role": "assistant", "text": "<tool_call>add</tool_call>", "own": True},
        {"role": "tool", "text": "error: the call is not JSON", "own": False, "failed": True},
        {"role": "tool", "text": "x" * 1000, "own": False},
        {"role": "assistant", "text": HOSTILE, "own": True},
    ]
    row = {"kind": "conversation", "messages": messages, "truncated": True, "tokens": 12, "reward": 0.25}
    broken = [{**row, "messages": "none"}, {**row, "messages": [5, {"role": [1]}]}, {**row, "messages": None}]
    samples = [{"step": 1, "problem": {"input": "1+2"}, "rows": [row, *broken]}]
    _, page = written(run_folders.folder(tmp_path, metrics=[{"step": 1}], samples=samples))
    turns = [a["class"] for t, a in page.tags if t == "div" and str(a.get("class")).split()[0:1] == ["turn"]]
    assert turns[:4] == ["turn", "turn answer-turn", "turn answer-turn", "turn"]
    assert page.text.count("not the policy's") >= 2
    for words in ("<tool_call>add</tool_call>", "failed", "40 more characters", "cut off at the limit", "tokens 12"):
        assert words in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_an_unknown_kind_is_shown_as_it_stands(tmp_path):
    rows = [{"kind": "audio", "seconds": 3.2, "reward": 0.25}]
    _, page = written(
        run_folders.folder(tmp_path, info={}, samples=[{"step": 1, "problem": {"input": 4}, "rows": rows}])
    )
    assert '{"kind": "audio", "seconds": 3.2}' in page.text
    assert "0.250" in page.text


def test_rows_are_sorted_and_the_middle_is_counted(tmp_path):
    rows = [{"kind": "text", "text": f"row {i}", "reward": r} for i, r in enumerate([3, None, 1, 9, 7, 5, 8, 2, 4])]
    run = report.read(
        run_folders.folder(tmp_path, info={}, samples=[{"step": 1, "problem": {"index": 0}, "rows": rows}])
    )
    found = samples.gallery(run)
    assert found is not None
    card = found.pairs[0][1]
    assert card is not None
    assert [row.reward for row in card.rows] == ["9", "8", "7", "2", "1", "–"]
    assert card.hidden == 3
    assert (found.low, found.high) == ("1", "9")
    low, high = card.rows[4].colour, card.rows[0].colour
    assert (low, high) == (pictures.canvas.REWARD_SCALE[0], pictures.canvas.REWARD_SCALE[2])


def test_early_and_late_cards_of_one_problem_stand_together(tmp_path):
    def record(step, index):
        text = {"kind": "text", "text": f"{step}-{index}", "reward": 0.0}
        return {"step": step, "problem": {"index": index, "input": str(index)}, "rows": [text]}

    order = [record(1, 10), record(1, 11), record(1, 12), record(5, 99), record(9, 12), record(9, 20), record(9, 10)]
    found = samples.gallery(report.read(run_folders.folder(tmp_path, info={}, samples=order)))
    assert found is not None
    texts = [tuple(card.rows[0].text if card else None for card in pair) for pair in found.pairs]
    assert texts == [("1-10", "9-10"), ("1-12", "9-12"), ("1-11", "9-20")]
    assert [card.rows[0].text for card in found.between] == ["5-99"]


def test_long_texts_are_folded_and_cut(tmp_path):
    long = "a" * samples.SHORT + "b" * (samples.LONG - samples.SHORT) + "c" * 1234
    rows = [{"kind": "text", "text": long, "reward": 0.0}]
    _, page = written(run_folders.folder(tmp_path, info={}, samples=[{"step": 1, "problem": {}, "rows": rows}]))
    assert "a" * samples.SHORT in page.text
    assert "b" * (samples.LONG - samples.SHORT) in page.text
    assert "ccccccc" not in page.text
    assert "1,234 more characters" in page.text


def decoded(uri: str) -> np.ndarray:
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    return np.round(image[:, :, :3] * 255).astype(int)


def test_png_levels():
    # (-1 + 1) * 127.5 = 0, 0 -> 127.5 to even 128, 0.2 -> 153, beyond 1 -> 255, NaN -> 0
    image = decoded(pictures.png([[-1.0, 0.0, 0.2], [7.0, -9.0, math.nan]]))
    assert image[:, :, 0].tolist() == [[0, 128, 153], [255, 0, 0]]
    assert (image == image[:, :, :1]).all()
    colours = decoded(pictures.png([[[1.0, -1.0, 0.2]]]))
    assert colours.tolist() == [[[255, 0, 153]]]
    assert decoded(pictures.png([[[1.0]], [[-1.0]]]))[:, 0, 0].tolist() == [255, 0]


def test_large_images_are_averaged_down():
    size = 2 * pictures.LARGEST
    checks = np.indices((size, size)).sum(axis=0) % 2 * 2.0 - 1.0  # +1 and -1: the mean of a block of four is 0
    image = decoded(pictures.png(checks.tolist()))
    assert image.shape == (pictures.LARGEST, pictures.LARGEST, 3)
    assert (image == 128).all()
    assert max(decoded(pictures.png(np.zeros((1000, 3)).tolist())).shape[:2]) <= pictures.LARGEST


def test_pictures_cover_walls_and_goals():
    row = {"positions": [[0, 0], [1, 2]], "walls": [[-3, 0, -3, 5]], "goal": [4, -1]}
    # x from -3 to 4, y from -1 to 5; room is 0.06 of the longer side, 7
    assert pictures.limits([row], "positions") == pytest.approx((-3.42, 4.42, -1.42, 5.42))


def test_a_long_run_is_quick_and_small(tmp_path):
    more = {f"own/{i}": (lambda s, x, i=i: math.sin(i * x) + 0.1 * math.sin(s * s)) for i in range(12)}
    path = run_folders.folder(tmp_path, info={}, metrics=run_folders.metrics(5000, 0.1, 0.8, **more))
    began = time.process_time()  # of this process, because other programs may share the core
    page = report.write(path)
    assert time.process_time() - began < 5.0
    assert page.stat().st_size < 3_000_000


def test_the_page_is_the_same_every_time(tmp_path):
    path = run_folders.control(tmp_path, steps=25)
    assert report.write(path).read_bytes() == report.write(path).read_bytes()


def test_not_a_run(tmp_path):
    with pytest.raises(ValueError, match="not a run folder"):
        report.write(tmp_path)


def test_compare(tmp_path):
    first = run_folders.language(tmp_path / "one" / "first", steps=30)
    second = run_folders.language(tmp_path / "two" / "second", steps=20)
    info = json.loads((second / "run.json").read_text())
    info["arguments"]["lr"], info["seed"] = 0.001, 4
    (second / "run.json").write_text(json.dumps(info))
    path = report.compare([first, second])
    assert path == tmp_path / "compare.html"
    text = path.read_text()
    page = Page(text)
    assert "http" not in text.replace("http-equiv", "")
    assert "script" not in {tag for tag, _ in page.tags}
    words = " ".join(" ".join(page.texts).split())
    assert "first" in words
    assert "second" in words
    assert "lr 0.0003 0.001" in words
    assert "seed 3 4" in words
    assert "prompts" not in words  # the same in both
    assert "30 steps 20 steps" in words
    assert text.count("<svg") == 2


def test_compare_names_and_refusals(tmp_path):
    runs = [run_folders.folder(tmp_path / arm / "run", info={}, metrics=[{"step": 1, "reward": 1.0}]) for arm in "ab"]
    page = Page(report.compare(runs, tmp_path / "elsewhere.html").read_text())
    assert "a/run" in page.text
    assert "b/run" in page.text
    with pytest.raises(ValueError, match="at least two"):
        report.compare(runs[:1])
    with pytest.raises(ValueError, match="not a run folder"):
        report.compare([runs[0], tmp_path])
