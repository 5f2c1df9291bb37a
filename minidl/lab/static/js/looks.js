// Colours, shapes and dashes of the lanes, and of the canvas: never colour alone tells lanes apart.

import { lanes, rules } from "./state.js";

export function palette() {
  const style = getComputedStyle(document.documentElement);
  const one = (name) => style.getPropertyValue(name).trim();
  return {
    ink: one("--ink"), soft: one("--soft"), line: one("--line"), card: one("--card"), accent: one("--accent"),
    contour: one("--contour"), lit: one("--lit"), wide: Number(one("--stroke")) || 1.6,
  };
}

const PAPER = 0.4; // how much white a colour gets on a dark page, so that it shows there

/** The colour of a lane, as minidl's figures have it; black is the ink, which is white where the page is dark. */
export function colour(lane) {
  const found = rules.value[lane.rule]?.colour ?? "#777777";
  const style = getComputedStyle(document.documentElement);
  if (found === "#000000") return style.getPropertyValue("--ink").trim();
  if (style.colorScheme !== "dark") return found;
  const parts = [1, 3, 5].map((i) => parseInt(found.slice(i, i + 2), 16));
  return `rgb(${parts.map((x) => Math.round(x + (255 - x) * PAPER)).join(", ")})`;
}

export function dashes(number) {
  const lane = lanes.value[number];
  if (lane?.fork) return [2, 3];
  return rules.value[lane?.rule]?.dashed ? [7, 4] : [];
}

const SHAPES = 8;

/** The path of a lane's shape around (x, y). */
export function shape(context, number, x, y, r) {
  const kind = number % SHAPES;
  context.beginPath();
  if (kind === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === 1) context.rect(x - r, y - r, 2 * r, 2 * r);
  else polygon(context, x, y, r * 1.25, [4, 3, 10, 3, 8, 5][kind - 2], [0, 0, 0, Math.PI, 0, 0][kind - 2], [1, 1, 0.45, 1, 0.4, 1][kind - 2]);
}

function polygon(context, x, y, r, corners, turn, inner) {
  for (let i = 0; i < corners; i += 1) {
    const angle = turn - Math.PI / 2 + (2 * Math.PI * i) / corners;
    const far = i % 2 ? r * inner : r;
    context[i ? "lineTo" : "moveTo"](x + far * Math.cos(angle), y + far * Math.sin(angle));
  }
  context.closePath();
}
