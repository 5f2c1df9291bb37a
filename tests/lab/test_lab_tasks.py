"""What a new user wants to do in the laboratory, by mouse alone and by keys alone."""

import json
from pathlib import Path

import pytest
from lab_page import coordinates, lane_text, settled

from minidl.optim import rules
from minidl.teach import race
from minidl.teach.functions import START, bowl


def test_the_words_of_the_flows_are_those_of_the_page():
    words = json.loads((Path(rules.__file__).parents[1] / "lab/static/words/en.json").read_text(encoding="utf-8"))
    assert words["forward"] == "One step"
    assert "nearest to the minimum after {steps} steps" in words["predict.distance"]


@pytest.mark.slow
def test_by_mouse_which_rule_is_nearest_and_why_momentum_overshot(opened):
    page = opened()
    page.get_by_role("button", name="Play").click()
    settled(page)
    question = page.locator(".question")
    assert "which is nearest to the minimum after 20 steps" in question.inner_text()
    question.get_by_role("button", name="Adam").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider", name="Step").fill("20")
    settled(page)
    said = question.inner_text()
    ends = race(bowl, [(rules.AdaGrad(eps=1e-6, eps_mode="inside"), 2.0)], START, 20).lanes[0].path[-1]
    assert "At t = 20 AdaGrad is nearest to the minimum: " in said
    assert f"{(ends**2).sum() ** 0.5:.4g}" in said
    assert "You predicted Adam" in said
    page.get_by_role("slider", name="Step").fill("1")  # momentum passes the valley's floor at step 1
    page.get_by_role("button", name="One step", exact=True).click()
    page.locator(".lane").nth(1).click(position={"x": 30, "y": 10})
    settled(page)
    why = page.locator(".why").inner_text()
    assert "Step 2 of Momentum moved x2 by" in why
    assert "Momentum (what the earlier steps have left) contributed +2.4." in why
    velocity = page.locator(".lines li").first
    velocity.locator("[data-symbol]").nth(2).hover()
    settled(page)
    lit = page.locator(".lit")
    assert lit.count() == 2  # v before the step, as a letter and as a number
    assert "−8" in " ".join(lit.all_text_contents())


@pytest.mark.slow
def test_by_keys_alone_back_ten_steps_and_fork_with_another_beta(opened):
    page = opened("predict=0&t=20&lane=1")
    press = page.keyboard.press
    press("Shift+ArrowLeft")
    settled(page)
    assert "Momentum, t = 10: x2" in page.locator(".chip").inner_text()
    press("f")
    settled(page)
    assert page.locator(".lane").count() == 6
    page.locator("#share-5").focus()
    page.keyboard.press("End")  # the slider's own key: the largest β
    settled(page)
    assert "from step 10 on with these" in lane_text(page, 5)
    press("Tab")
    press("Control+a")
    page.keyboard.type("0.99")
    press("Tab")
    press("Shift+ArrowRight")
    settled(page)
    path = race(bowl, [(rules.Momentum(beta=lambda k: 0.5 if k < 10 else 0.99), 0.6)], START, 20).lanes[0].path
    assert coordinates(page, 5) == pytest.approx(path[20], rel=1e-3)
    press("Escape")
    page.locator(".handle").first.focus()
    press("ArrowUp")
    settled(page)
    assert page.locator("#start-1").input_value() == "-1.9"
    press("?")
    page.get_by_role("dialog").wait_for()
    press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.locator(".lines li").last.focus()
    for _ in range(3):
        press("ArrowRight")
    settled(page)
    assert page.locator(".lit").count() >= 2


@pytest.mark.slow
def test_by_keys_alone_predict_and_see_why_momentum_overshot(opened):
    page = opened()
    page.keyboard.press(" ")
    page.locator(".question button:focus").wait_for()  # the first answer has the focus
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Nesterov
    page.keyboard.press(" ")
    page.keyboard.press("End")
    settled(page)
    said = page.locator(".question").inner_text()
    assert "At t = 20 AdaGrad is nearest" in said
    assert "You predicted Nesterov" in said
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".chip").inner_text() == "Momentum, t = 2: x2"
    assert "Momentum (what the earlier steps have left) contributed +2.4." in page.locator(".why").inner_text()


@pytest.mark.slow
def test_by_mouse_alone_back_ten_steps_and_fork_with_another_beta(opened):
    page = opened("predict=0&t=20&lane=1")
    for _ in range(10):
        page.get_by_role("button", name="One step back").click()
    page.get_by_role("button", name="fork").click()
    settled(page)
    slider = page.locator("#share-5")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    settled(page)
    beta = float(page.locator("#share-5 + input").input_value())
    assert beta > 0.97
    page.get_by_role("slider", name="Step").fill("20")
    settled(page)
    path = race(bowl, [(rules.Momentum(beta=lambda k: 0.5 if k < 10 else beta), 0.6)], START, 20).lanes[0].path
    assert coordinates(page, 5) == pytest.approx(path[20], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["mouse", "keys"])
def test_make_it_diverge_understand_it_and_repair_it(opened, by):
    page = opened("predict=0&t=20&lanes=SGD:lr=0.4&lane=0")

    def rate(text):
        field = page.locator("#lr-0 + input")
        field.focus() if by == "keys" else field.click(click_count=3)
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
        settled(page)

    rate("0.6")
    assert "diverged at step 1: η·λ = 2.4 > 2, the most that is stable" in lane_text(page, 0)
    assert "Each step multiplies the error by 1.4 in the long run: it diverges." in page.locator(".of-map").inner_text()
    assert "It grows without end: η·λ = 0.6 · 4 = 2.4 > 2" in page.locator(".why").inner_text()
    if by == "keys":
        page.locator(".of-map .handle").focus()
        for _ in range(6):
            page.keyboard.press("ArrowLeft")
    else:
        page.locator("canvas.map").scroll_into_view_if_needed()
        box = page.locator("canvas.map").bounding_box()
        page.mouse.click(box["x"] + 46 + 0.45 * (box["width"] - 46), box["y"] + 20)
    settled(page)
    assert 0 < float(page.locator("#lr-0 + input").input_value()) < 0.5
    assert "diverged" not in lane_text(page, 0)
    assert "shrinks the error" in page.locator(".of-map").inner_text()
