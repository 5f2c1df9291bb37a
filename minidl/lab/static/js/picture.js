// The picture of screen 1: level lines, paths with a mark per step, the pushes of the last one, the start's handle.

import { contours } from "../vendor/d3-contour.min.mjs";
import { batch } from "../vendor/signals-core.mjs";
import { drawing } from "./frames.js";
import { colour, dashes, palette, shape } from "./looks.js";
import { Plane, sharp } from "./plane.js";
import * as state from "./state.js";
import { html, number } from "./view.js";

const LEVELS = 13;
let plane = null;
let cached = { key: "", lines: [] };

/** The level lines of a field, in its own coordinates, made once for each. */
function lines(field) {
  const key = field;
  if (cached.key === key) return cached.lines;
  const { values, n, domain } = field;
  const finite = values.filter((x) => x !== null);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const levels = Array.from({ length: LEVELS }, (_, i) => low + (high - low) * ((i + 0.6) / LEVELS) ** 2.2);
  const [[x0, x1], [y0, y1]] = domain;
  const place = ([i, j]) => [x0 + ((i - 0.5) / (n - 1)) * (x1 - x0), y0 + ((j - 0.5) / (n - 1)) * (y1 - y0)];
  const found = contours().size([n, n]).thresholds(levels)(values.map((x) => x ?? high));
  cached = { key, lines: found.flatMap((level) => level.coordinates.flat().map((ring) => ring.map(place))) };
  return cached.lines;
}

/** Where a point of a path is drawn: of one coordinate, on the curve of f. */
function spot(lane, step, flat) {
  const x = lane.path[0][step];
  const y = flat ? lane.values[step] : lane.path[1][step];
  return x === null || y === null ? null : [x, y];
}

function clamp(x) {
  return Math.max(-1e5, Math.min(1e5, x));
}

function draw(canvas) {
  const { value: field } = state.field;
  const { value: race } = state.race;
  if (field === null || race === null) return;
  const [context, width, height] = sharp(canvas);
  const looks = palette();
  const flat = field.domain.length === 1;
  const curve = field.values.filter((x) => x !== null);
  const [low, high] = [Math.min(...curve.slice(0, 4096)), Math.max(...curve.slice(0, 4096))];
  const up = flat ? [low - 0.06 * (high - low), high + 0.06 * (high - low)] : field.domain[1];
  plane = new Plane(width, height, field.domain[0], up);
  context.save();
  plane.clip(context);
  if (flat) drawCurve(context, field, looks);
  else drawLevels(context, field, looks);
  for (const [x, y = 0] of field.minima) cross(context, plane.x(x), plane.y(flat ? low : y), looks.soft);
  const step = state.t.value;
  const order = race.lanes.map((_, i) => i).filter((i) => i !== state.picked.value);
  for (const i of [...order, state.picked.value]) {
    if (race.lanes[i]) drawPath(context, race.lanes[i], i, step, flat, looks);
  }
  drawPushes(context, race, step, flat, looks);
  context.restore();
  const [x, y] = [state.start.value[0], flat ? race.lanes[0].values[0] : state.start.value[1]];
  const handle = canvas.nextElementSibling;
  Object.assign(handle.style, { left: `${plane.x(x)}px`, top: `${plane.y(y)}px` });
  plane.axes(context, looks, flat ? ["x", "f"] : ["x₁", "x₂"]);
}

let levels = { field: null, size: "", path: null };

/** The level lines as one path, made once for a field and a size. */
function drawLevels(context, field, looks) {
  const size = `${plane.width} ${plane.height}`;
  if (levels.field !== field || levels.size !== size) {
    const path = new Path2D();
    for (const ring of lines(field)) ring.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](plane.x(x), plane.y(y)));
    levels = { field, size, path };
  }
  context.strokeStyle = looks.contour;
  context.lineWidth = looks.wide * 0.6;
  context.stroke(levels.path);
}

function stroke(context, points) {
  context.beginPath();
  points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](plane.x(x), plane.y(y)));
  context.stroke();
}

function drawCurve(context, field, looks) {
  const [low, high] = field.domain[0];
  context.strokeStyle = looks.soft;
  context.lineWidth = looks.wide;
  stroke(context, field.values.map((y, i) => [low + ((high - low) * i) / (field.n - 1), y]));
}

function cross(context, x, y, ink) {
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - 5, y - 5);
  context.lineTo(x + 5, y + 5);
  context.moveTo(x + 5, y - 5);
  context.lineTo(x - 5, y + 5);
  context.stroke();
}

function drawPath(context, lane, number, step, flat, looks) {
  const ink = colour(lane);
  const points = [];
  for (let k = 0; k <= Math.min(step, lane.values.length - 1); k += 1) {
    const found = spot(lane, k, flat);
    if (found === null) break;
    points.push([clamp(plane.x(found[0])), clamp(plane.y(found[1]))]);
  }
  const chosen = number === state.picked.value;
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = looks.wide * (chosen ? 1.6 : 1);
  context.setLineDash(dashes(number));
  context.beginPath();
  points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
  context.stroke();
  context.setLineDash([]);
  if (points.length < 400) {
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, looks.wide * 1.3, 0, 2 * Math.PI);
      context.fill();
    }
  }
  if (points.length === 0) return;
  let [x, y] = points.at(-1);
  if (step === 0) {
    const angle = (2 * Math.PI * number) / Math.max(state.lanes.value.length, 1) - Math.PI / 2;
    [x, y] = [x + 15 * Math.cos(angle), y + 15 * Math.sin(angle)]; // all begin at one point: fanned out
  }
  shape(context, number, x, y, looks.wide * (chosen ? 4 : 3.2));
  context.lineWidth = 1.5;
  context.strokeStyle = looks.card;
  context.fill();
  context.stroke();
}

/** What momentum and the gradient contributed to the last step of the picked lane, head to tail. */
function drawPushes(context, race, step, flat, looks) {
  const arrows = state.ledger.value?.arrows;
  const lane = race.lanes[state.picked.value];
  if (flat || !arrows || !lane || step === 0 || state.ledger.value.t !== step) return;
  let from = spot(lane, step - 1, flat);
  for (const name of ["momentum", "gradient"]) {
    const push = arrows[name];
    if (!push || from === null || push.includes(null)) continue;
    const to = [from[0] + push[0], from[1] + push[1]];
    arrow(context, from, to, name === "momentum" ? looks.soft : looks.accent, name === "momentum" ? [4, 3] : []);
    from = to;
  }
}

function arrow(context, from, to, ink, dash) {
  const [x0, y0, x1, y1] = [plane.x(from[0]), plane.y(from[1]), plane.x(to[0]), plane.y(to[1])].map(clamp);
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 6) return;
  const angle = Math.atan2(y1 - y0, x1 - x0);
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 2.5;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x1, y1);
  for (const turn of [2.7, -2.7]) context.lineTo(x1 + 9 * Math.cos(angle + turn), y1 + 9 * Math.sin(angle + turn));
  context.fill();
}

// --- The start: dragged, or moved by keys

function drag(event) {
  if (plane === null || !state.dragging.value) return;
  const box = event.currentTarget.parentElement.getBoundingClientRect();
  place(plane.at(event.clientX - box.left, event.clientY - box.top));
}

function place(point) {
  const { domain } = state.field.value;
  const inside = domain.map(([low, high], i) => Number(Math.max(low, Math.min(high, point[i])).toFixed(2)));
  batch(() => {
    state.preset.value = null;
    state.start.value = inside;
  });
}

/** A mouse may take hold anywhere; a finger on the handle only, since elsewhere it scrolls the page. */
function grab(event) {
  if (event.currentTarget.tagName === "CANVAS" && event.pointerType !== "mouse") return;
  event.currentTarget.setPointerCapture(event.pointerId);
  state.dragging.value = true;
  drag(event);
}

const ARROWS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

function nudge(event) {
  const by = ARROWS[event.key];
  if (!by || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  place(state.start.value.map((x, i) => x + by[i]));
}

/** The picture in words, for who does not see it. */
export function description() {
  const race = state.race.value;
  if (race === null) return "";
  const step = state.t.value;
  const parts = race.lanes.map((lane) => {
    const point = lane.path.map((axis) => number(axis[step])).join(", ");
    return `${lane.rule} (${point})`;
  });
  return state.say("picture", { t: step, points: parts.join("; ") });
}

const { theme, projector, ledger, lanes, picked } = state;
const attach = drawing(draw, () => void [theme.value, projector.value, ledger.value, lanes.value, picked.value]);

function release() {
  state.dragging.value = false;
}

export function Picture() {
  const held = { onPointerDown: grab, onPointerMove: drag, onPointerUp: release, onPointerCancel: release };
  const at = state.start.value.map((x) => number(x)).join(", ");
  return html`<div class="stage">
    <canvas class="picture" role="img" aria-label=${description()} ref=${attach} ...${held}></canvas>
    <button type="button" class="handle" aria-label=${state.say("handle", { at })} ...${held} onKeyDown=${nudge}></button>
  </div>`;
}
