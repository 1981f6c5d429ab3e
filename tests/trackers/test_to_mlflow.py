"""MLflow's own store holds what the log says, once, also of a run that was killed."""

from tests.trackers.killed import curves, killed_and_gone_on, needs

pytestmark = needs("mlflow")


def test_every_number_is_there_once(tmp_path, monkeypatch):
    import mlflow

    folder, uri = tmp_path / "run", f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    killed_and_gone_on(folder, "mlflow", MLFLOW_TRACKING_URI=uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("rlft").experiment_id])
    assert (run.info.status, run.info.run_name, run.data.params["recipe"]) == ("FINISHED", "run", '"tiny"')
    for name, points in curves(folder).items():
        there = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
        assert sorted(there) == points, name
    files = [file.path for file in client.list_artifacts(run.info.run_id, "samples")]
    assert files == sorted(
        f"samples/{step:06d}-{place}{end}" for step in (1, 3, 6) for place in (1, 2) for end in (".md", "-1.png")
    )
    assert "→" in run.data.tags["rlft.held-out reward"]
