from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from holdfast_servicekit import metrics


def test_a_process_that_has_just_begun_to_count_hides_nobody_elses_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(metrics.MULTIPROC_DIR, str(tmp_path))
    counted = MmapedDict(str(tmp_path / "counter_1.db"))  # type: ignore[no-untyped-call]
    name = mmap_key("runs", "runs_total", [], [], "How many.")
    counted.write_value(name, 3.0, 0.0)  # type: ignore[no-untyped-call]
    (tmp_path / "counter_2.db").touch()
    app = Flask(__name__)
    app.register_blueprint(metrics.blueprint())

    answer = app.test_client().get("/metrics")

    assert answer.status_code == 200
    assert "runs_total 3.0" in answer.text
