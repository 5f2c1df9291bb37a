// Where in the run: the transport bar; which surface, where it begins, how many steps; and the question before a run.

import { batch } from "../vendor/signals-core.mjs";
import * as state from "./state.js";
import { request } from "./transport.js";
import { Icon, html, number } from "./view.js";

const { say } = state;
const TICK = 450; // milliseconds a step at speed 1
let timer = null;

const PART = 1250; // and a line, in slow motion

function pause() {
  clearInterval(timer);
  timer = null;
  state.playing.value = false;
}

function tick() {
  if (!atEnd()) state.advance(1);
  if (atEnd()) pause();
}

function atEnd() {
  return state.t.value >= state.steps.value && state.line.value === null;
}

/** One unit by hand. */
export function walk(by) {
  pause();
  state.advance(by);
}

function pace(event) {
  const was = state.playing.value;
  pause();
  state.slow.value = event.target.value === "slow";
  if (!state.slow.value) {
    state.speed.value = Number(event.target.value);
    state.line.value = null;
  }
  if (was) play();
}

/** The state as a Python program, to the browser's downloads. */
async function save() {
  const coordinate = Math.min(state.coordinate.value, state.start.value.length - 1);
  const asked = { ...state.request.value, lane: state.picked.value, t: state.t.value, coordinate, language: state.language.value };
  try {
    const { text } = await request("script", asked);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/x-python" }));
    link.download = "run.py";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } catch (error) {
    state.problem.value = error;
  }
}

/** Play or pause; a run that was not seen yet asks first. */
export function play() {
  if (state.playing.value) {
    pause();
    return;
  }
  if (mustAsk()) {
    state.question.value = true;
    return;
  }
  if (atEnd()) state.moveTo(0);
  state.playing.value = true;
  tick();
  clearInterval(timer);
  timer = setInterval(tick, state.slow.value ? PART : TICK / state.speed.value);
}

export function jump(to) {
  pause();
  state.moveTo(to);
}

function mustAsk() {
  return state.asking.value && state.prediction.value === null && state.t.value === 0 && state.lanes.value.length > 1;
}

/** The question takes the focus, once. */
function focused(button) {
  if (button && !button.parentElement.contains(document.activeElement)) button.focus({ preventScroll: true });
}

function predict(lane) {
  batch(() => {
    state.prediction.value = lane;
    state.question.value = false;
  });
  play();
}

export function Transport() {
  const step = state.t.value;
  const most = state.steps.value;
  const button = (name, act, key) =>
    html`<button type="button" aria-label=${say(name)} title=${`${say(name)} (${key})`} onClick=${act}><${Icon} name=${name} /></button>`;
  return html`<div class="transport" role="group" aria-label=${say("transport")}>
    ${button("first", () => jump(0), "Home")} ${button("back", () => walk(-1), "←")}
    <button type="button" class="play" aria-label=${say(state.playing.value ? "pause" : "play")} title="space" onClick=${play}>
      <${Icon} name=${state.playing.value ? "pause" : "play"} /></button>
    ${button("forward", () => walk(1), "→")}
    <input type="range" aria-label=${say("step")} min="0" max=${most} value=${step}
      onInput=${(event) => jump(Number(event.target.value))} />
    <output>t = ${step}</output>
    <select aria-label=${say("speed")} value=${state.slow.value ? "slow" : state.speed.value} onChange=${pace}>
      <option value="slow">${say("slow")}</option>${[0.5, 1, 2, 4].map((one) => html`<option value=${one}>${`${one}×`}</option>`)}
    </select>
    <button type="button" onClick=${state.fork} disabled=${step === 0} title="f">${say("fork")}</button>
    ${!state.catalogue.value.written && !state.lanes.value.some((lane) => lane.fork) && html`<button type="button" onClick=${save} title=${say("script")}>.py</button>`}
  </div>`;
}

export function Setting() {
  const name = state.surface.value.name;
  const flat = (state.field.value?.domain.length ?? 2) === 1;
  const choose = (event) => {
    const chosen = { name: event.target.value };
    if (chosen.name === "formula") chosen.formula = "(1-x1)^2 + 5*(x2-x1^2)^2";
    if (chosen.name === "quadratic") Object.assign(chosen, { curvatures: [4, 0.2], angle: 30 });
    state.show(chosen);
  };
  const typed = (key, read) => (event) => {
    const x = read(event.target.value);
    if (x !== null) state.surface.value = { ...state.surface.value, [key]: x };
  };
  const real = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);
  const at = (i) => (event) => {
    const x = real(event.target.value);
    if (x === null) return;
    batch(() => {
      state.preset.value = null;
      state.start.value = state.start.value.map((old, k) => (k === i ? x : old));
    });
  };
  const field = (id, label, value, change, attributes = {}) =>
    html`<span class="field"><label for=${id}>${label}</label>
      <input id=${id} type="number" step="any" value=${value} onChange=${change} ...${attributes} /></span>`;
  const steps = (event) => {
    const x = Number(event.target.value);
    if (Number.isInteger(x) && x >= 1) batch(() => { state.steps.value = x; state.moveTo(state.t.value); });
  };
  const curved = state.surface.value.curvatures ?? [4, 0.2];
  return html`<div class="setting">
    <span class="field"><label for="surface">${say("surface")}</label>
      <select id="surface" value=${name} onChange=${choose}>
        ${state.catalogue.value.surfaces.map((one) => html`<option value=${one}>${say(`surface.${one}`)}</option>`)}
      </select></span>
    ${name === "formula" &&
    html`<span class="field wide"><label for="formula">f(x1, x2)</label>
      <input id="formula" type="text" spellcheck="false" maxlength="500" value=${state.surface.value.formula} onChange=${typed("formula", (text) => text)} /></span>`}
    ${name === "quadratic" &&
    [0, 1].map((i) => field(`curvature-${i}`, `λ${"₁₂"[i]}`, curved[i], typed("curvatures", (text) => (real(text) === null ? null : curved.map((old, k) => (k === i ? real(text) : old))))))}
    ${name === "quadratic" && field("angle", say("angle"), state.surface.value.angle ?? 0, typed("angle", real))}
    ${state.start.value.slice(0, flat ? 1 : 2).map((x, i) => field(`start-${i}`, flat ? say("start") : `${i ? "" : `${say("start")} `}x${"₁₂"[i]}`, x, at(i)))}
    ${field("steps", say("steps"), state.steps.value, steps, { min: 1, max: state.catalogue.value.most.steps, step: 1 })}
  </div>`;
}

// --- Predict first

function closest(race, step) {
  const far = (i) => race.lanes[i].distance[step];
  const name = race.nearest[step];
  return name === null ? null : { lane: name, rule: race.lanes[name].rule, far: far(name) };
}

export function Question() {
  const race = state.race.value;
  if (race === null) return html`<div class="question"></div>`;
  const most = state.steps.value;
  if (state.question.value) {
    return html`<div class="question asked" role="group" aria-labelledby="question">
      <p id="question">${say(`predict.${race.by}`, { steps: most })}</p>
      <div class="row">${race.lanes.map((lane, i) => html`<button type="button" ref=${i === 0 ? focused : null} onClick=${() => predict(i)}>${label(race, i)}</button>`)}
        <button type="button" class="quiet" onClick=${() => predict("skipped")}>${say("skip")}</button></div>
    </div>`;
  }
  const best = closest(race, state.t.value);
  const facts = best && { rule: label(race, best.lane), t: state.t.value, far: number(best.far), steps: most };
  const guess = state.prediction.value;
  const guessed = typeof guess === "number" && guess < race.lanes.length;
  let text = best ? say(`nearest.${race.by}`, facts) : say("nearest.none");
  if (guessed && best && state.t.value === most) {
    text = `${text} ${say(best.lane === guess ? "right" : "wrong", { rule: label(race, guess), far: number(race.lanes[guess].distance[most]) })}`;
  } else if (guessed) text = `${say("predicted", { rule: label(race, guess) })} ${text}`;
  return html`<div class="question"><p>${text}</p></div>`;
}

/** The name of a lane; with its number where there are two of that rule. */
function label(race, i) {
  const { rule } = race.lanes[i];
  return race.lanes.filter((lane) => lane.rule === rule).length > 1 ? `${i + 1} ${rule}` : rule;
}
