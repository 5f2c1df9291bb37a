// The page: what it asks when something changes, and its frame.

import { batch, effect, untracked } from "../vendor/signals-core.mjs";
import { render } from "../vendor/preact.mjs";
import { frames } from "./frames.js";
import { Chart } from "./chart.js";
import { Question, Setting, Transport } from "./controls.js";
import { Help, listen } from "./keys.js";
import { Lanes, share, valueOf } from "./lanes.js";
import { Ledger } from "./ledger.js";
import { Picture } from "./picture.js";
import { Stability } from "./stability.js";
import * as state from "./state.js";
import { Tables } from "./tables.js";
import { connect, connected, latest, request } from "./transport.js";
import { Choice, Icon, html } from "./view.js";

const { say } = state;
const GRID = 96;
const MAP = 64;

function failed(error) {
  state.problem.value = error;
}

function answered(target) {
  return (reply) => batch(() => {
    target.value = reply;
    state.problem.value = null;
  });
}

const askField = latest("surface.field", (reply) => { state.field.value = reply; }, failed);
const askRace = latest("surface.race", answered(state.race), failed);
const askMap = latest("surface.stability", (reply, asked) => { state.map.value = { ...reply, rule: asked.lane.rule }; }, () => { state.map.value = null; });
const askLedger = latest("ledger", (reply, asked) => {
  state.ledger.value = asked.t === 0 ? null : { ...reply, t: asked.t };
  state.unrecorded.value = false;
  document.documentElement.dataset.ready = "true";
}, (error) => {
  state.unrecorded.value = error.code === "offline";
  if (state.unrecorded.value) state.ledger.value = null;
  else failed(error);
  document.documentElement.dataset.ready = "true";
});

function asks() {
  effect(() => {
    if (connected.value) askField({ surface: state.surface.value, n: GRID, domain: state.view.value });
  });
  effect(() => {
    if (!connected.value || state.catalogue.value === null) return;
    askRace({ ...state.request.value, preset: state.preset.value });
  });
  effect(() => {
    if (!connected.value || state.catalogue.value === null) return;
    if (state.dragging.value) return; // the paths follow first
    const [lane, step] = [state.picked.value, state.t.value];
    if (step === 0 || lane >= state.lanes.value.length) {
      state.ledger.value = null;
      if (untracked(() => state.race.value) !== null) document.documentElement.dataset.ready = "true";
      void state.race.value;
      return;
    }
    const coordinate = Math.min(state.coordinate.value, state.start.value.length - 1);
    askLedger({ ...state.request.value, lane, t: step, coordinate, language: state.language.value });
  });
  let mapped = "";
  effect(() => { // another map, if more has changed than where the lane is on it
    const lane = state.lanes.value[state.picked.value];
    if (!connected.value || state.catalogue.value === null || !lane || state.dragging.value) return;
    const asked = { surface: state.surface.value, start: state.start.value, lane, steps: state.steps.value, note: state.note.value, n: MAP };
    const first = share(state.rules.value[lane.rule]);
    const settings = { ...lane.settings, lr: undefined, [first]: undefined };
    const off = valueOf(lane, "lr") > untracked(() => state.map.value?.high ?? 0);
    const now = JSON.stringify({ ...asked, lane: { rule: lane.rule, settings } });
    if (now === mapped && !off) return;
    mapped = now;
    askMap(asked);
  });
  effect(() => { // the picture stays as it is while something is dragged
    const race = state.race.value;
    if (race === null || state.dragging.value) return;
    if (JSON.stringify(untracked(() => state.view.value)) !== JSON.stringify(race.domain)) state.view.value = race.domain;
  });
  let before = null;
  effect(() => { // another run has not been predicted
    const now = state.run.value;
    if (before !== null && before !== now && untracked(() => state.preset.value) === null) {
      batch(() => {
        state.prediction.value = null;
        state.question.value = false;
      });
    }
    before = now;
  });
}

async function speak(language) {
  const reply = await fetch(`static/words/${language}.json`);
  state.words.value = await reply.json();
  document.documentElement.lang = language;
}

function looks() {
  effect(() => { speak(state.language.value); });
  effect(() => {
    const root = document.documentElement;
    root.dataset.theme = state.theme.value;
    root.dataset.projector = String(state.projector.value);
    root.dataset.concealed = String(state.concealed.value);
  });
  let timer = null;
  effect(() => {
    if (state.catalogue.value === null) return; // nothing is chosen yet
    const address = state.address();
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", address), 150);
  });
  window.addEventListener("hashchange", () => state.restore(location.hash));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { state.race.value = state.race.value && { ...state.race.value }; });
}

function Header() {
  const flip = (target, name, sign) =>
    html`<button type="button" aria-pressed=${String(target.value)} title=${say(name)} aria-label=${say(name)} onClick=${() => { target.value = !target.value; }}>${sign}</button>`;
  const note = (one) => (one === "code" ? say("code") : one);
  return html`<header class="top">
    <h1>mini<b>dl</b> lab</h1>
    <div class="row">
      <${Choice} label=${say("notes")} values=${state.NOTES} value=${state.note.value} text=${note} onPick=${(one) => { state.note.value = one; }} />
      <${Choice} label=${say("language")} values=${state.LANGUAGES} value=${state.language.value} onPick=${(one) => { state.language.value = one; }} />
      <${Choice} label=${say("theme")} values=${["auto", "light", "dark"]} value=${state.theme.value} text=${(one) => ({ auto: "◐", light: "☀", dark: "☾" })[one]}
        name=${(one) => say(`theme.${one}`)} onPick=${(one) => { state.theme.value = one; }} />
      ${flip(state.projector, "projector", html`<${Icon} name="projector" />`)} ${flip(state.asTable, "table", html`<${Icon} name="table" />`)}
      ${flip(state.helping, "help", "?")}
    </div>
  </header>`;
}

function Problem() {
  const found = state.problem.value;
  if (!connected.value) return html`<div class="problem" role="alert"><p>${say("closed")}</p></div>`;
  if (found === null) return null;
  return html`<div class="problem" role="alert"><p><strong>${say(`error.${found.code}`)}</strong> ${found.what}${found.fix && `: ${found.fix}`}</p>
    <button type="button" onClick=${() => { state.problem.value = null; }}>${say("close")}</button></div>`;
}

function App() {
  if (state.catalogue.value === null || state.words.value === null) {
    return html`<main class="waiting"><h1>minidl lab</h1><p>${connected.value ? "…" : "⋯"}</p></main>`;
  }
  const written = state.field.value?.written ?? "";
  return html`<${Header} /><${Problem} />
    <main>
      <div class="column">
        <section class="card surface" aria-labelledby="card-surface">
          <header><h2 id="card-surface">f = ${written}</h2><span class="secondary">${say("drag")}</span></header>
          <${Setting} /><${Question} /><${Picture} /><${Transport} />
        </section>
        <${Chart} /><${Tables} />
      </div>
      <div class="column"><${Lanes} /><${Stability} /></div>
      <div class="column"><${Ledger} /></div>
    </main>
    <p class="live" role="status">${spoken()}</p><${Help} />`;
}

let said = { at: 0, text: "" };

/** What a screen reader says: at most once a second while playing. */
function spoken() {
  const now = performance.now();
  if (!state.playing.value || now - said.at > 1000) said = { at: now, text: say("live", { t: state.t.value }) };
  return said.text;
}

function begin(reply) {
  batch(() => {
    if (state.lanes.value.length === 0) state.lanes.value = reply.lanes;
    state.picked.value = state.within(state.picked.value);
    state.catalogue.value = reply;
  });
}

state.restore(location.hash);
looks();
listen();
connect();
effect(() => {
  if (connected.value && untracked(() => state.catalogue.value) === null) request("hello").then(begin, failed);
});
asks();
frames(() => { render(html`<${App} />`, document.getElementById("lab")); });
