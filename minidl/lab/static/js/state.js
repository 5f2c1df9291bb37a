// What the page is in: every choice is a signal, and all that can be linked to is in the address.

import { batch, computed, signal } from "../vendor/signals-core.mjs";

export const LANGUAGES = ["en", "es", "it"];
export const NOTES = ["A", "B", "code"];
const THEMES = ["auto", "light", "dark"];

export const catalogue = signal(null); // what `hello` tells
export const words = signal(null); // the catalogue of the language

export const surface = signal({ name: "bowl" });
export const start = signal([-5, -2]);
export const lanes = signal([]); // the catalogue's, until others are chosen
export const steps = signal(20);
export const note = signal("A");
export const preset = signal(null);

export const t = signal(0);
export const picked = signal(1); // the lane whose ledger is shown
export const coordinate = signal(1);
export const playing = signal(false);
export const speed = signal(1);
export const slow = signal(false); // whether a step is walked through line by line
export const line = signal(null); // the line of the rule that is being carried out; null: the step is done

export const language = signal(LANGUAGES.find((one) => navigator.language.startsWith(one)) ?? "en");
export const theme = signal("auto");
export const projector = signal(false);
export const asTable = signal(false);
export const concealed = signal(false); // the ledger's numbers, for asking
export const helping = signal(false);
export const asking = signal(true); // whether a run that was not seen is predicted first
export const hidden = signal([]); // controls that a teacher's link leaves out

export const field = signal(null); // replies
export const view = signal(null); // the part of the plane that is shown; null: the surface's own
export const race = signal(null);
export const map = signal(null);
export const ledger = signal(null);
export const unrecorded = signal(false); // whether the ledger of this run is not in the folder that was exported
export const problem = signal(null);
export const lit = signal(null); // the symbol that is pointed at
export const dragging = signal(false);
export const prediction = signal(null); // of the run shown: null, "skipped", or the number of a lane
export const question = signal(false); // whether it is being asked

export const rules = computed(() => Object.fromEntries((catalogue.value?.rules ?? []).map((rule) => [rule.name, rule])));
export const request = computed(() => ({
  surface: surface.value,
  start: start.value,
  lanes: lanes.value,
  steps: steps.value,
  note: note.value,
}));
export const run = computed(() => JSON.stringify(request.value)); // which run this is

/** Words of the language, with what stands in braces filled in. */
export function say(name, facts = {}) {
  const text = words.value?.[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, key) => facts[key] ?? "");
}

export function moveTo(step) {
  batch(() => {
    line.value = null;
    t.value = Math.max(0, Math.min(steps.value, step));
  });
}

/** One unit further or back: a step, or in slow motion a line of the rule. */
export function advance(by) {
  const count = ledger.value?.t === t.value ? ledger.value.lines.length : 0;
  if (!slow.value) moveTo(t.value + by);
  else if (by > 0 && line.value !== null) line.value = line.value + 1 < count ? line.value + 1 : null;
  else if (by > 0 && t.value < steps.value) batch(() => { moveTo(t.value + 1); line.value = 0; });
  else if (by < 0 && line.value === null && t.value > 0) line.value = Math.max(0, count - 1);
  else if (by < 0 && line.value > 0) line.value -= 1;
  else if (by < 0) moveTo(t.value - 1);
}

/** Other settings of a lane; a lane that was a note's own run is that no more. */
export function change(number, update) {
  batch(() => {
    preset.value = null;
    lanes.value = lanes.value.map((lane, i) => (i === number ? { ...lane, ...update } : lane));
  });
}

/** One hyperparameter of a lane: from the start, or from where it was forked. */
export function set(number, name, value) {
  const lane = lanes.value[number];
  if (lane.fork && lane.fork.at > 0) {
    change(number, { fork: { at: lane.fork.at, settings: { ...lane.fork.settings, [name]: value } } });
  } else {
    change(number, { settings: { ...lane.settings, [name]: value } });
  }
}

/** A copy of the picked lane that goes on otherwise from this step on. */
export function fork() {
  const most = catalogue.value.most.lanes;
  if (lanes.value.length >= most || t.value === 0) return;
  batch(() => {
    preset.value = null;
    const lane = lanes.value[picked.value];
    const settings = { ...(lane.fork?.settings ?? {}) };
    const base = lane.fork ? { ...lane, settings: { ...lane.settings } } : lane;
    lanes.value = [...lanes.value, { ...base, fork: { at: t.value, settings } }];
    picked.value = lanes.value.length - 1;
  });
}

export function add(rule) {
  batch(() => {
    preset.value = null;
    lanes.value = [...lanes.value, { rule, settings: {} }];
    picked.value = lanes.value.length - 1;
  });
}

export function remove(number) {
  batch(() => {
    preset.value = null;
    lanes.value = lanes.value.filter((_, i) => i !== number);
    picked.value = Math.max(0, Math.min(picked.value, lanes.value.length - 1));
  });
}

/** Another surface, from its own start. */
export function show(chosen) {
  batch(() => {
    preset.value = view.value = null;
    t.value = 0;
    surface.value = chosen;
    start.value = catalogue.value.starts[chosen.name];
    coordinate.value = Math.min(coordinate.value, start.value.length - 1);
  });
}

export function load(chosen) {
  batch(() => {
    surface.value = { name: "bowl" };
    start.value = [-5, -2];
    lanes.value = chosen.lanes;
    steps.value = chosen.steps;
    t.value = chosen.steps;
    picked.value = 0;
    coordinate.value = Math.min(coordinate.value, 1);
    prediction.value = "skipped";
    preset.value = chosen.row;
    playing.value = false;
  });
}

// --- The address

function written(lane) {
  const { lr, ...others } = lane.settings;
  const parts = Object.entries({ ...(lr === undefined ? {} : { lr }), ...others }).map(([k, v]) => `${k}=${v}`);
  if (lane.schedule && lane.schedule !== "constant") parts.push(`schedule=${lane.schedule}`);
  if (lane.fork) {
    parts.push(`fork=${lane.fork.at}`);
    parts.push(...Object.entries(lane.fork.settings).map(([k, v]) => `then.${k}=${v}`));
  }
  return parts.length ? `${lane.rule}:${parts.join(",")}` : lane.rule;
}

function value(text) {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function read(text) {
  const [rule, rest = ""] = text.split(":");
  const lane = { rule, settings: {} };
  for (const part of rest.split(",").filter(Boolean)) {
    const [name, given = ""] = part.split("=");
    if (name === "schedule") lane.schedule = given;
    else if (name === "fork") lane.fork = { at: Number(given), settings: lane.fork?.settings ?? {} };
    else if (name.startsWith("then.")) {
      lane.fork = { at: lane.fork?.at ?? 0, settings: { ...lane.fork?.settings, [name.slice(5)]: value(given) } };
    } else lane.settings[name] = value(given);
  }
  return lane;
}

export function address() {
  const found = new URLSearchParams({ v: "1", s: "surface", f: surface.value.name });
  if (surface.value.formula) found.set("formula", surface.value.formula);
  if (surface.value.curvatures) found.set("curvatures", surface.value.curvatures.join(","));
  if (surface.value.angle) found.set("angle", surface.value.angle);
  found.set("start", start.value.join(","));
  found.set("steps", steps.value);
  found.set("lanes", lanes.value.map(written).join(";"));
  found.set("t", t.value);
  found.set("lane", picked.value);
  found.set("i", coordinate.value);
  found.set("note", note.value);
  found.set("lang", language.value);
  if (preset.value) found.set("preset", preset.value);
  if (theme.value !== "auto") found.set("theme", theme.value);
  if (projector.value) found.set("projector", "1");
  if (asTable.value) found.set("table", "1");
  if (!asking.value) found.set("predict", "0");
  if (hidden.value.length) found.set("hide", hidden.value.join(","));
  return `#${found.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%3B", ";").replaceAll("%3D", "=")}`;
}

/** The number of a lane, if there are so many; before the catalogue is there, nobody knows. */
export function within(number) {
  return Math.max(0, lanes.value.length ? Math.min(lanes.value.length - 1, number) : number);
}

/** Read the address into the signals; the server's schema has the last word on what is allowed. */
export function restore(hash) {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (name) => found.get(name).split(",").map(Number);
  const among = (name, values, target) => values.includes(found.get(name)) && (target.value = found.get(name));
  batch(() => {
    if (found.has("f")) {
      const shape = { name: found.get("f") };
      if (found.has("formula")) shape.formula = found.get("formula");
      if (found.has("curvatures")) shape.curvatures = numbers("curvatures");
      if (found.has("angle")) shape.angle = Number(found.get("angle"));
      surface.value = shape;
    }
    if (found.has("start")) start.value = numbers("start");
    if (found.has("steps")) steps.value = Number(found.get("steps"));
    if (found.get("lanes")) lanes.value = found.get("lanes").split(";").map(read);
    if (found.has("lane")) picked.value = within(Number(found.get("lane")) || 0);
    if (found.has("i")) coordinate.value = found.get("i") === "0" ? 0 : 1;
    if (found.has("t")) moveTo(Number(found.get("t")) || 0);
    among("note", NOTES, note);
    among("lang", LANGUAGES, language);
    among("theme", THEMES, theme);
    projector.value = found.get("projector") === "1";
    asTable.value = found.get("table") === "1";
    asking.value = found.get("predict") !== "0";
    hidden.value = (found.get("hide") ?? "").split(",").filter(Boolean);
    if (found.has("preset")) preset.value = found.get("preset");
  });
}
