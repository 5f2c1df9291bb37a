// What all parts are made with: preact's elements by htm's templates, small controls, numbers as they are shown.

import htm from "../vendor/htm.mjs";
import { h } from "../vendor/preact.mjs";
import { say } from "./state.js";

export const html = htm.bind(h);

const MATHML = new Set(["mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "msubsup", "mover", "munderover", "mfrac", "msqrt"]);

/** A number with a real minus sign; `digits` significant ones. */
export function number(x, digits = 4) {
  if (x === null || x === undefined) return "∞";
  const text = Math.abs(x) >= 1e-3 || x === 0 ? Number(x.toPrecision(digits)).toString() : x.toExponential(digits - 1);
  return text.replaceAll("-", "−");
}

/** MathML from nested lists; `symbol` is the one that is lit. */
export function math(tree, symbol) {
  if (typeof tree === "string") return tree;
  const [name, attributes, ...content] = tree;
  if (!MATHML.has(name)) throw new Error(`no MathML: ${name}`);
  const own = { ...attributes };
  const tagged = own["data-symbol"];
  if (tagged !== undefined && String(symbol) === tagged) own.class = "lit";
  return h(name, own, ...content.map((part) => math(part, symbol)));
}

export function Formula({ children, label }) {
  return html`<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true" aria-label=${label}>${children}</math>`;
}

const ICONS = {
  first: "M5 4v16M20 4L9 12l11 8z",
  back: "M18 4L7 12l11 8z",
  play: "M7 4l13 8-13 8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  forward: "M4 4l11 8-11 8zM19 4v16",
  projector: "M3 5h18v12H3zM8 21h8M12 17v4",
  table: "M3 4h18v16H3zM3 10h18M3 15h18M9 4v16",
};

/** A picture on a button: no font need have it. */
export function Icon({ name }) {
  const filled = ["first", "back", "play", "pause", "forward"].includes(name);
  return html`<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
    <path d=${ICONS[name]} fill=${filled ? "currentColor" : "none"} stroke="currentColor" stroke-width="2" stroke-linejoin="round" /></svg>`;
}

/** Buttons of which one is pressed. */
export function Choice({ label, values, value, onPick, text = (one) => one, name }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${values.map(
      (one) => html`<button type="button" aria-pressed=${String(one === value)} aria-label=${name?.(one)} onClick=${() => onPick(one)}>${text(one)}</button>`,
    )}
  </div>`;
}

export function Card({ title, aside, name, children }) {
  return html`<section class="card of-${name}" aria-labelledby=${`card-${name}`}>
    <header><h2 id=${`card-${name}`}>${title}</h2>${aside && html`<span class="secondary">${aside}</span>`}</header>
    ${children}
  </section>`;
}

/** A slider and the number that it sets; `log` for one that is set by its magnitude. */
export function Knob({ label, value, least, most, log, step, onSet, id }) {
  const from = log ? Math.log10(least) : least;
  const to = log ? Math.log10(most) : most;
  const place = log ? Math.log10(Math.max(value, least)) : value;
  const slid = (event) => {
    const at = Number(event.target.value);
    onSet(log ? Number((10 ** at).toPrecision(2)) : Number(at.toFixed(3)));
  };
  const typed = (event) => {
    const x = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(x)) onSet(x);
  };
  return html`<div class="knob">
    <label for=${id}>${label}</label>
    <input id=${id} type="range" min=${from} max=${to} step=${log ? 0.01 : step} value=${place} onInput=${slid}
      aria-valuetext=${String(value)} />
    <input type="number" min="0" step="any" value=${value} onChange=${typed} aria-label=${`${label}, ${say("exact")}`} />
  </div>`;
}
