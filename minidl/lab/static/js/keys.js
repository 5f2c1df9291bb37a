// Keys, for who has no mouse or stands before a class: `?` lists them.

import { jump, play, walk } from "./controls.js";
import * as state from "./state.js";
import { html } from "./view.js";

const { say } = state;

function next(values, target) {
  target.value = values[(values.indexOf(target.value) + 1) % values.length];
}

function toggle(target) {
  target.value = !target.value;
}

const ACTS = {
  " ": play,
  ArrowRight: (event) => (event.shiftKey ? jump(state.t.value + 10) : walk(1)),
  ArrowLeft: (event) => (event.shiftKey ? jump(state.t.value - 10) : walk(-1)),
  ArrowDown: () => { state.slow.value = true; },
  ArrowUp: () => { state.slow.value = false; state.line.value = null; },
  Home: () => jump(0),
  End: () => jump(state.steps.value),
  f: state.fork,
  l: () => next(state.NOTES, state.note),
  g: () => next(state.LANGUAGES, state.language),
  n: () => { state.picked.value = (state.picked.value + 1) % state.lanes.value.length; },
  x: () => { state.coordinate.value = 1 - state.coordinate.value; },
  d: () => next(["auto", "light", "dark"], state.theme),
  p: () => toggle(state.projector),
  t: () => toggle(state.asTable),
  h: () => toggle(state.concealed),
  "?": () => toggle(state.helping),
};
const SHOWN = [["space", "play"], ["→ ←", "one"], ["Shift+→ ←", "ten"], ["↓ ↑", "unit"], ["Home End", "ends"], ["n", "next"], ["x", "coordinate"], ["f", "fork"], ["l", "letters"], ["g", "language"], ["d", "theme"], ["p", "projector"], ["t", "table"], ["h", "conceal"], ["?", "help"]];

/** Whether a key belongs to the control that has the focus. */
function taken(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const name = target.tagName;
  if (name === "INPUT" && target.type !== "range") return true;
  if (name === "SELECT" || name === "TEXTAREA") return true;
  if (name === "INPUT") return key.startsWith("Arrow") || key === "Home" || key === "End";
  return (name === "BUTTON" || name === "SUMMARY") && key === " ";
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") state.helping.value = false;
    const act = ACTS[event.key];
    if (act === undefined || taken(event)) return;
    event.preventDefault();
    act(event);
  });
}

export function Help() {
  if (!state.helping.value) return null;
  const shown = (dialog) => dialog && !dialog.open && dialog.showModal();
  return html`<dialog ref=${shown} aria-labelledby="keys" onClose=${() => { state.helping.value = false; }}>
    <h2 id="keys">${say("keys")}</h2>
    <dl>${SHOWN.map(([key, name]) => html`<dt><kbd>${key}</kbd></dt><dd>${say(`key.${name}`)}</dd>`)}</dl>
    <p>${say("keys.start")}</p>
    <button type="button" onClick=${() => { state.helping.value = false; }}>${say("close")}</button>
  </dialog>`;
}
