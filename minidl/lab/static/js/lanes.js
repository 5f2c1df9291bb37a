// The racers: rules, their learning rates and hyperparameters, where each is, and the runs that a note prints.

import { colour, shape } from "./looks.js";
import * as state from "./state.js";
import { Card, Knob, html, number } from "./view.js";

const { say } = state;

function letter(lane, name) {
  return state.rules.value[lane.rule].letters[state.note.value][name] ?? name;
}

/** What a hyperparameter of a lane is: its own, that of the note's convention, or the rule's default. */
export function valueOf(lane, name) {
  const rule = state.rules.value[lane.rule];
  const default_ = name === "lr" ? rule.lr : rule.hyperparameters.find((one) => one.name === name).default;
  const given = { ...(rule.conventions[state.note.value] ?? {}), ...lane.settings, ...(lane.fork?.settings ?? {}) };
  return name in given ? given[name] : default_;
}

function mark(lane, index) {
  return (canvas) => {
    if (canvas === null) return;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, 40, 40);
    context.fillStyle = colour(lane);
    shape(context, index, 20, 20, 11);
    context.fill();
  };
}

/** The first hyperparameter that is a share: β or ρ. */
export function share(rule) {
  return rule.hyperparameters.find((one) => one.kind === "number" && one.below === 1)?.name ?? null;
}

function Other({ lane, index, one }) {
  const id = `set-${index}-${one.name}`;
  const value = valueOf(lane, one.name);
  if (one.kind === "choice") {
    return html`<div class="knob two"><label for=${id}>${one.name}</label>
      <select id=${id} value=${String(value)} disabled=${Boolean(lane.fork)}
        onChange=${(event) => state.set(index, one.name, one.values.find((choice) => String(choice) === event.target.value))}>
        ${one.values.map((choice) => html`<option value=${String(choice)}>${String(choice)}</option>`)}
      </select></div>`;
  }
  const typed = (event) => {
    const text = event.target.value;
    if (text !== "" || one.optional) state.set(index, one.name, text === "" ? null : Number(text));
  };
  return html`<div class="knob two"><label for=${id}>${letter(lane, one.name)}</label>
    <input id=${id} type="number" min="0" step="any" value=${value ?? ""} onChange=${typed} /></div>`;
}

function Lane({ lane, index }) {
  const rule = state.rules.value[lane.rule];
  const run = state.race.value?.lanes[index];
  const chosen = state.picked.value === index;
  const at = run ? run.path.map((axis) => number(axis[state.t.value], 4)).join(", ") : "";
  const first = share(rule);
  const gone = run && run.diverged !== null && run.diverged <= state.t.value;
  const check = state.t.value === state.steps.value ? state.race.value?.checks?.[index] : null;
  const pick = () => { state.picked.value = index; };
  return html`<li class="lane ${chosen ? "chosen" : ""}" style=${{ "--own": colour(lane) }} onFocusIn=${pick} onPointerDown=${pick}>
    <div class="head">
      <canvas width="40" height="40" aria-hidden="true" ref=${mark(lane, index)}></canvas>
      <select aria-label=${say("rule", { n: index + 1 })} value=${lane.rule}
        onChange=${(event) => state.change(index, { rule: event.target.value, settings: {}, fork: null })}>
        ${Object.keys(state.rules.value).map((name) => html`<option value=${name}>${name}</option>`)}
      </select>
      ${state.lanes.value.length > 1 &&
      html`<button type="button" class="small" aria-label=${say("remove", { rule: lane.rule })} onClick=${(event) => { event.stopPropagation(); state.remove(index); }}>×</button>`}
    </div>
    ${!state.hidden.value.includes("lr") &&
    html`<${Knob} id=${`lr-${index}`} label=${letter(lane, "lr")} log least=${1e-4} most=${10} value=${valueOf(lane, "lr")}
      onSet=${(x) => state.set(index, "lr", x)} />`}
    ${first &&
    html`<${Knob} id=${`share-${index}`} label=${letter(lane, first)} least=${0} most=${0.999} step=${0.005} value=${valueOf(lane, first)}
      onSet=${(x) => state.set(index, first, x)} />`}
    ${lane.fork && html`<p class="forked">${say("forked", { t: lane.fork.at })}</p>`}
    ${gone && html`<p class="gone">${run.excess
      ? say("diverged.why", { t: run.diverged, letter: letter(lane, "lr"), product: number(run.excess[0]), limit: number(run.excess[1]) })
      : say("diverged", { t: run.diverged })}</p>`}
    ${check && html`<p class="check ${check.agrees ? "yes" : "no"}"><span aria-hidden="true">${check.agrees ? "✓" : "✗"}</span> ${
      say(check.agrees ? `agrees.${check.source}` : "differs", { printed: check.printed.replaceAll("-", "−") })}</p>`}
    <div class="foot"><button type="button" class="pick" aria-pressed=${String(chosen)} aria-label=${`${lane.rule}: ${at}`} onClick=${pick}>(${at || "…"})</button>
    <details><summary>${say("more")}</summary>
      ${rule.hyperparameters.filter((one) => one.name !== first).map((one) => html`<${Other} lane=${lane} index=${index} one=${one} />`)}
      <div class="knob two"><label for=${`schedule-${index}`}>${say("schedule")}</label>
        <select id=${`schedule-${index}`} value=${lane.schedule ?? "constant"} onChange=${(event) => state.change(index, { schedule: event.target.value })}>
          ${state.catalogue.value.schedules.map((name) => html`<option value=${name}>${say(`schedule.${name}`)}</option>`)}
        </select></div>
    </details></div>
  </li>`;
}

function Presets() {
  const choose = (event) => {
    const found = state.catalogue.value.presets.find((one) => one.row === event.target.value);
    if (found) state.load(found);
  };
  return html`<div class="knob two"><label for="preset">${say("presets")}</label>
    <select id="preset" value=${state.preset.value ?? ""} onChange=${choose}>
      <option value="">–</option>
      ${state.catalogue.value.presets.map((one) => html`<option value=${one.row}>${one.row} · ${one.title}</option>`)}
    </select></div>`;
}

export function Lanes() {
  const full = state.lanes.value.length >= state.catalogue.value.most.lanes;
  return html`<${Card} name="lanes" title=${say("racers")}>
    <${Presets} />
    <ul class="lanes">${state.lanes.value.map((lane, index) => html`<${Lane} lane=${lane} index=${index} />`)}</ul>
    <div class="row"><button type="button" disabled=${full} onClick=${() => state.add("SGD")}>${say("add")}</button></div>
  <//>`;
}
