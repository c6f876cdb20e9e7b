"""Agreement with people: by hand, and on Flickr8k beside the published values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chiasm.cli import main
from chiasm.metrics.captions import people

from ...conftest import SharedData


def test_every_grade_of_a_caption_is_a_judgement() -> None:
    scores = {"bleu4": np.array([0.1, 0.2, 0.3]), "other": np.array([3.0, 2.0, 1.0])}
    found = people.agreement(scores, [(1, 1, 1), (2, 2, 2), (4, 4, 4)], ["a", "b", "c"], kind="experts", draws=5)
    assert found["bleu4"].tau.value == pytest.approx(1.0)
    assert found["other"].tau.value == pytest.approx(-1.0)
    assert (found["bleu4"].tau.n, found["bleu4"].published, found["other"].published) == (9, 0.308, None)


def test_other_judgements_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown judgements 'robots'"):
        people.agreement({}, [], [], kind="robots")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["experts", "crowd"])
def test_agreement_on_flickr8k_is_the_published_one(
    kind: str, shared_data: SharedData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data("flickr8k_text")
    more = ["--meteor"] if kind == "experts" else []  # the crowd's captions take it minutes
    with pytest.raises(SystemExit) as ended:
        main(["captions", "people", str(folder), "--kind", kind, "--draws", "40", "--out", str(tmp_path), *more])
    assert not ended.value.code
    with capsys.disabled():
        print(capsys.readouterr().out)
    found = json.loads((tmp_path / f"people_{kind}.json").read_text())
    for name, published in people.PUBLISHED[kind].items():
        if name != "meteor":
            assert found[name]["tau"]["value"] == pytest.approx(published, abs=0.0006), name  # printed with 3 digits
    if kind == "experts":
        ((name, meteor),) = [(k, v) for k, v in found.items() if k.startswith("meteor")]
        assert meteor["published"] == 0.418
        assert meteor["tau"]["value"] == pytest.approx(0.418, abs=0.04), name  # the official one has paraphrases too
    if kind == "crowd":  # experts give nearly all of an image's own captions the highest grade
        assert found["validity by cider"]["tau"]["low"] > 0
