"""What is said of the time that is left."""

from rlft.runs.drive import drive
from rlft.runs.estimate import estimate
from rlft.runs.folder import Cadence, begin
from rlft.runs.lock import held
from tests.runs import tiny


def test_in_minutes_and_in_hours():
    assert estimate(1, 3.0, 200) == "step 1 took 3.0 s; 199 more like it will take about 9 min 57 s"
    told = ["model", "group", "steps", "max_new_tokens"]
    assert estimate(1, 10.0, 200, told) == "step 1 took 10 s; 199 more like it will take about 33 min 10 s"
    long = estimate(5, 60.0, 200, told, evaluated=True)
    assert long == (
        "step 5 took 1 min 00 s; 195 more like it will take about 3 h 15 min, and evaluations come on top. "
        "Ctrl-C stops and saves; lower --steps, --max-new-tokens or --group for less"
    )
    assert estimate(5, 60.0, 200, ["steps"]).endswith("lower --steps for less")
    assert estimate(5, 60.0, 200).endswith("about 3 h 15 min")


def test_nothing_of_less_than_a_minute():
    assert estimate(199, 59.0, 200) is None and estimate(200, 1e9, 200) is None
    assert estimate(199, 60.0, 200) is not None


def test_a_run_says_it_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rlft.runs.estimate._SHORT", 0.0)
    tiny.start(tmp_path / "run")
    assert capsys.readouterr().err.count("step 1 took") == 0  # quiet
    loud(tmp_path / "loud")
    said = capsys.readouterr().err
    assert said.count("more like it will take about") == 1 and "rlft: step 1 took " in said and "; 3 more like" in said


def loud(folder):
    with held(folder):
        begin(folder, {"recipe": "tiny"})
        drive(tiny.tiny(), folder, Cadence(save=2, samples=1), page=False)
