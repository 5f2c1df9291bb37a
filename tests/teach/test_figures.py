"""Figures that a lecturer projects: lines told apart by everybody, runs that never arrive shown, labels at line ends."""

import itertools
import math
import re

import numpy as np
import pytest
from matplotlib.text import Text
from reproduce_cases import made

from minidl import optim
from minidl.display import figures
from minidl.optim import rules
from minidl.teach import plots
from minidl.teach.reproduce.figure_words import translate, translated

# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB
SEEN_AS = {
    "trichromat": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def linear(colour):
    """Linear RGB of "#RRGGBB"."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear RGB."""
    xyz = TO_XYZ @ rgb / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast_on_white(colour):
    return 1.05 / (TO_XYZ[1] @ linear(colour) + 0.05)


def test_every_rule_has_a_colour_and_a_marker_of_its_own():
    names = {name for name in optim.__all__ if isinstance(getattr(rules, name, None), type)}
    for given in (plots.COLOURS, plots.MARKERS):
        assert set(given) == names
        assert len(set(given.values())) == len(names)


@pytest.mark.parametrize("colour", [*plots.COLOURS.values(), figures.INK, figures.FAINT, figures.ACCENT])
def test_lines_stand_out_from_white(colour):
    assert contrast_on_white(colour) >= 3


@pytest.mark.parametrize("eyes", SEEN_AS)
def test_any_two_rules_are_told_apart_by_the_colour_blind(eyes):
    seen = {rule: lab(np.clip(SEEN_AS[eyes] @ linear(colour), 0, 1)) for rule, colour in plots.COLOURS.items()}
    near = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    assert min(near.values()) > 20, min(near, key=near.get)


def test_lines_that_differ_by_a_number_stand_out_too():
    _, ((axes,),) = figures.new_figure()
    plots.lines(axes, [0, 1], {f"β = {i}": [i, i] for i in range(5)})
    colours = [f"#{''.join(f'{round(255 * x):02X}' for x in line.get_color()[:3])}" for line in axes.get_lines()]
    assert min(map(contrast_on_white, colours)) >= 3


def test_a_rules_line_has_its_colour_everywhere():
    _, ((axes,),) = figures.new_figure()
    plots.curves(axes, [0, 1], {"Adam": [1, 2], "Nesterov": [2, 1]})
    plots.trace(axes, np.zeros((3, 2)), "Adam")
    colours = [line.get_color() for line in axes.get_lines()]
    assert colours == [plots.COLOURS[name] for name in ("Adam", "Nesterov", "Adam", "Adam", "Adam")]


def test_a_run_that_never_arrives_is_an_arrow_at_the_edge_and_is_counted():
    _, ((axes,),) = figures.new_figure()
    plots.dots(axes, {"SGD": [10.0, 20.0, math.inf], "Adam": [5.0, 6.0, 7.0]}, ylim=(0, 40))
    arrows = [line for line in axes.get_lines() if line.get_marker() == "^"]
    assert [len(line.get_xdata()) for line in arrows] == [1]
    assert 36 < arrows[0].get_ydata()[0] <= 40
    assert [note.get_text() for note in axes.texts] == ["1 of 3"]
    drawn = [np.isfinite(line.get_ydata()).sum() for line in axes.get_lines() if line.get_marker() in ("o", "*")]
    assert drawn == [2, 3]


def test_a_median_that_never_arrives_has_no_bar():
    _, ((axes,),) = figures.new_figure()
    plots.dots(axes, {"SGD": [10.0, math.inf, math.inf]}, ylim=(0, 40))
    assert not [line for line in axes.get_lines() if line.get_linewidth() == 2.5]


def test_labels_stand_behind_the_last_number_of_a_line_and_apart_from_one_another():
    figure, ((axes,),) = figures.new_figure()
    axes.plot([0, 1, 2], [1, 1, math.nan], label="lost")
    axes.plot([0, 2], [1, 1.001], label="near")
    axes.plot([0, 2], [1, 1], label="_unnamed")
    figures.label_ends(axes)
    assert [(note.get_text(), note.xy[0]) for note in axes.texts] == [("lost", 1), ("near", 2)]
    figure.draw_without_rendering()
    low, high = (note.get_window_extent() for note in axes.texts)
    assert high.y0 - low.y0 > 10


def test_pictures_are_sharp_on_a_projector(tmp_path):
    with figures.style():
        figure, _ = figures.new_figure(width=5, height=3)
        figure.savefig(tmp_path / "one.png")
    width, height = (int.from_bytes((tmp_path / "one.png").read_bytes()[i : i + 4], "big") for i in (16, 20))
    assert (width, height) == (1000, 600)


ON_F = {
    "FA3": ["epoch 20, x1: -0.943467, x2: -0.000073"],
    "FA4": ["epoch 20, x1: -0.387814, x2: -1673.365109"],
    "FA5": ["epoch 20, x1: 0.007188, x2: 0.002553"],
    "FA6": ["epoch 20, x1: -0.126340, x2: -0.186632"],
    "FA8": ["epoch 20, x1: -2.382563, x2: -0.158591", "epoch 20, x1: -0.002295, x2: -0.000000"],
}


@pytest.mark.parametrize("id", ON_F)
def test_descents_on_f_are_drawn_on_one_scale_with_what_the_note_prints(id):
    (picture,) = made(id).pictures
    drawn = [axes for axes in picture.figure.axes if axes.get_xlabel() == "$x_1$"]
    assert {(axes.get_xlim(), axes.get_ylim()) for axes in drawn} == {((-5.5, 1.0), (-3.0, 3.0))}
    assert {axes.get_aspect() for axes in drawn} == {1.0}
    printed = [text.get_text().split("\n")[0] for axes in drawn for text in axes.texts if "epoch" in text.get_text()]
    assert printed == ON_F[id]


ENGLISH = {
    "the",
    "of",
    "after",
    "each",
    "steps",
    "step",
    "at",
    "its",
    "from",
    "updates",
    "learning",
    "too",
    "by",
    "and",
    "off",
}


@pytest.mark.parametrize("language", ["es", "it"])
@pytest.mark.parametrize(
    "id", ["FA1", "FA2", "FA4", "FA8", "FA9", "FA14", "EB3", "EB4", "FB0", "FB1", "S1", "ER1", "ER23"]
)
def test_figures_speak_the_readers_language(id, language):
    for picture in made(id).pictures:
        translate(picture.figure, language)
        for text in picture.figure.findobj(Text):
            plain = text.get_text().replace("learning rate", "")
            assert not ENGLISH & set(re.findall(r"(?<![\\\w])[a-z]+(?!\w)", plain)), text.get_text()


def test_formulas_numbers_and_what_a_note_prints_stay_as_they_are():
    assert (
        translated("epoch 20, x1: -0.943467, x2: -0.000073\nf = 0.089", "es")
        == "epoch 20, x1: -0.943467, x2: -0.000073\nf = 0.089"
    )
    assert (
        translated(r"first step: $3.16\,\eta$ in each coordinate", "it")
        == r"primo passo: $3.16\,\eta$ in ogni coordinata"
    )
    assert translated("validation loss", "en") == "validation loss"
    assert (
        translated("784, six layers of 32 ReLU, 10; each at its best α", "es")
        == "784, seis capas de 32 ReLU, 10; cada una con su mejor α"
    )
