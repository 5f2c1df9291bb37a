// The map of learning rate and β (or ρ) of the picked rule; its dot is the lane, and dragging it sets both.

import { batch } from "../vendor/signals-core.mjs";
import { drawing } from "./frames.js";
import { valueOf } from "./lanes.js";
import { colour, palette, shape } from "./looks.js";
import { Plane, sharp } from "./plane.js";
import * as state from "./state.js";
import { Card, html, number } from "./view.js";

const { say } = state;
const INSIDE = [[13, 71, 92], [222, 238, 232]]; // from stable to the edge of it
const OUTSIDE = [[252, 233, 214], [130, 40, 16]];
let plane = null;
let held = false;

function mixed([from, to], part) {
  return from.map((x, i) => Math.round(x + (to[i] - x) * Math.max(0, Math.min(1, part))));
}

/** The colour of a point: of a spectral radius below 1 or above; of a measured map by the logarithm of f. */
function shade(map, value, low, high) {
  if (value === null) return OUTSIDE[1];
  if (map.kind === "radius") return value < 1 ? mixed(INSIDE, value ** 3) : mixed(OUTSIDE, (value - 1) / 1.4);
  const middle = low + 0.75 * (high - low);
  return value < middle ? mixed(INSIDE, (value - low) / (middle - low || 1)) : mixed(OUTSIDE, (value - middle) / (high - middle || 1));
}

function image(map) {
  const canvas = new OffscreenCanvas(map.n, map.rows);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(map.n, map.rows);
  const finite = map.values.filter((x) => x !== null);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = Math.min(finite.reduce((a, b) => Math.max(a, b), -Infinity), low + 16);
  map.values.forEach((value, k) => {
    const row = map.rows - 1 - Math.floor(k / map.n);
    pixels.data.set([...shade(map, value, low, high), 255], 4 * (row * map.n + (k % map.n)));
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

let made = { map: null, image: null };

function draw(canvas) {
  const map = state.map.value;
  const lane = state.lanes.value[state.picked.value];
  if (map === null || map.rule !== lane?.rule) return; // that of another rule is on its way
  if (made.map !== map) made = { map, image: image(map) };
  const [context, width, height] = sharp(canvas);
  const looks = palette();
  plane = new Plane(width, height, [0, map.high], [0, map.share ? 0.99 : 1]);
  context.imageSmoothingEnabled = true;
  context.drawImage(made.image, plane.left, 0, width - plane.left, height - plane.bottom);
  const letters = state.rules.value[lane.rule].letters[state.note.value];
  plane.axes(context, looks, [letters.lr, map.share ? letters[map.share] : ""]);
  const [x, y] = [plane.x(Math.min(valueOf(lane, "lr"), map.high)), plane.y(map.share ? Math.min(valueOf(lane, map.share), 0.99) : 0.5)];
  Object.assign(canvas.nextElementSibling.style, { left: `${x}px`, top: `${y}px` });
  shape(context, state.picked.value, x, y, 7);
  context.fillStyle = colour(lane);
  context.strokeStyle = "#ffffff";
  context.lineWidth = 3;
  context.stroke();
  context.fill();
}

function drag(event) {
  const map = state.map.value;
  if (!held || plane === null || map === null) return;
  const box = event.currentTarget.parentElement.getBoundingClientRect();
  place(map, plane.at(event.clientX - box.left, event.clientY - box.top));
}

function place(map, [lr, beta]) {
  batch(() => {
    state.set(state.picked.value, "lr", Number(Math.max(map.high / 1000, Math.min(map.high, lr)).toPrecision(3)));
    if (map.share) state.set(state.picked.value, map.share, Number(Math.max(0, Math.min(0.99, beta)).toFixed(3)));
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function nudge(event) {
  const [map, by, lane] = [state.map.value, ARROWS[event.key], state.lanes.value[state.picked.value]];
  if (map === null || !by || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  place(map, [valueOf(lane, "lr") + (by[0] * map.high) / 50, map.share ? valueOf(lane, map.share) + by[1] * 0.02 : 0]);
}

function hold(event) {
  if (event.currentTarget.tagName === "CANVAS" && event.pointerType !== "mouse") return;
  event.currentTarget.setPointerCapture(event.pointerId);
  held = state.dragging.value = true;
  drag(event);
}

function release() {
  held = state.dragging.value = false;
}

const attach = drawing(draw, () => void [state.theme.value, state.projector.value]);

/** Where the lane's dot lies, in words: by its own number, or that of the map's nearest point. */
function verdict(map, lane) {
  if (map.kind === "measured") return say("map.measured", { steps: map.steps });
  const value = state.race.value?.lanes[state.picked.value]?.radius ?? nearest(map, lane);
  return say(value !== null && value < 1 ? "map.stable" : "map.unstable", { radius: number(value) });
}

function nearest(map, lane) {
  const lr = valueOf(lane, "lr");
  const beta = map.share ? valueOf(lane, map.share) : 0;
  const column = Math.min(map.n - 1, Math.max(0, Math.round((lr / map.high) * map.n) - 1));
  const row = map.share ? Math.min(map.rows - 1, Math.round((beta / 0.99) * (map.rows - 1))) : 0;
  return map.values[row * map.n + column];
}

export function Stability() {
  const map = state.map.value;
  const lane = state.lanes.value[state.picked.value];
  if (map === null || !lane) return null;
  const held = { onPointerDown: hold, onPointerMove: drag, onPointerUp: release, onPointerCancel: release };
  const text = map.rule === lane.rule ? verdict(map, lane) : "";
  return html`<${Card} name="map" title=${say(map.kind === "radius" ? "map" : "map.of.races")} aside=${lane.rule}>
    <div class="stage">
      <canvas class="map ${map.share ? "" : "strip"}" role="img" aria-label=${`${say("map")}: ${lane.rule}. ${text}`} ref=${attach} ...${held}></canvas>
      <button type="button" class="handle bare" aria-label=${say("map.handle", { rule: lane.rule })} ...${held} onKeyDown=${nudge}></button>
    </div>
    <p class="secondary">${text} ${say(map.kind === "radius" ? "map.hint" : "map.nonlinear")}</p>
  <//>`;
}

