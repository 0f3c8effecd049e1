"""Pictures that can be read: no legend covers what is drawn, and those of the training of one width."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from evaluation import artifact, plots
from evaluation.scoring import Scored

GROUPS = ["scarce", "common", "other"]


def models(rows: int, ablations: int = 0) -> tuple[list[Scored], np.ndarray]:
    """Candidates, ablations and baselines, some of which score badly; and the group codes of the rows."""
    rng = np.random.default_rng(0)
    actual = np.where(rng.random(rows) < 0.04, 0, rng.integers(1, 3, rows))
    entry = {"groups": GROUPS, "epoch": 3, "calibration": {"slope": 1.0, "intercept": 0.0}}
    kinds = {"candidate": 4, "ablation": ablations, "baseline": 3}
    scored = []
    for kind, count in kinds.items():
        for number in range(count):
            scores = 1 / (1 + np.exp((actual == 0) * -2.0 * number - rng.normal(size=rows)))
            flagged = scores >= 0.6
            name = f"{kind}-of-a-long-name-{number}"
            groups = np.where(flagged, 0, 1)
            scored.append(
                Scored(kind, name, 0.6, scores, flagged, 1.0, groups, entry | {"epoch": number + 1})
            )
    return scored, actual


def history(epochs: int) -> pd.DataFrame:
    """Losses that rise and fall through all of the picture."""
    columns = [*artifact.HISTORY, *(f"entropy_{group}" for group in GROUPS)]
    waves = {
        name: 0.5 + 0.5 * np.sin(number + 0.5 * np.arange(epochs)) for number, name in enumerate(columns)
    }
    return pd.DataFrame({"epoch": np.arange(1, epochs + 1)} | waves)


def drawn(out: Path, ablations: int, epochs: int) -> dict[str, Figure]:
    """The figures as they were saved, by the names of their files."""
    figures: dict[str, Figure] = {}
    save = Figure.savefig

    def keep(self: Figure, path: Path, **options: object) -> None:
        save(self, path, **options)
        self.draw_without_rendering()
        figures[path.stem] = self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        scored, actual = models(800, ablations)
        plots.draw(scored, actual, history(epochs), out)
    return figures


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    return drawn(tmp_path_factory.mktemp("figures"), ablations=0, epochs=20)


@pytest.fixture(scope="module")
def with_ablations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    """Of a training of one epoch."""
    return drawn(tmp_path_factory.mktemp("figures"), ablations=4, epochs=1)


@pytest.mark.parametrize("of", ["figures", "with_ablations"])
def test_no_legend_covers_what_is_drawn(of: str, request: pytest.FixtureRequest) -> None:
    for name, figure in request.getfixturevalue(of).items():
        legends = [legend.get_window_extent() for legend in figure.findobj(Legend)]
        assert len(legends) > 0 or name.startswith("confusion_")
        places = [axes.get_tightbbox() for axes in figure.get_axes()]
        for legend in legends:
            assert not any(legend.overlaps(place) for place in places), name
            assert legend.x0 >= figure.bbox.x0, name
            assert legend.x1 <= figure.bbox.x1, name
            assert legend.y0 >= figure.bbox.y0, name
        assert max(place.y1 for place in places) <= figure.bbox.y1, name


def test_the_pictures_of_the_training_have_one_width(figures: dict[str, Figure]) -> None:
    places = [axes for name in ("loss_curves", "entropy") for axes in figures[name].get_axes()]
    assert len(places) == 3
    assert figures["loss_curves"].get_figwidth() == figures["entropy"].get_figwidth()
    widths = [axes.get_window_extent().width for axes in places]
    assert max(widths) < 1.05 * min(widths)


def test_one_epoch_can_be_seen(with_ablations: dict[str, Figure]) -> None:
    for name in ("loss_curves", "entropy"):
        for axes in with_ablations[name].get_axes():
            curves = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
            assert {line.get_marker() for line in curves} == {"o"}
            assert [tick for tick in axes.get_xticks() if tick != int(tick)] == []


def test_flagging_at_random_has_its_own_line(figures: dict[str, Figure]) -> None:
    (axes,) = figures["precision_recall"].get_axes()
    assert not axes.texts
    (line,) = [line for line in axes.get_lines() if str(line.get_label()).startswith("flagging at random")]
    share = float((models(800)[1] == 0).mean())
    assert set(line.get_ydata()) == {share}
    assert f"(precision {share:.3f})" in str(line.get_label())
