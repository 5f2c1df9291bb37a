// The function along the way: a line per lane, on a logarithmic scale where f is positive.

import uPlot from "../vendor/uPlot.esm.js";
import { frames } from "./frames.js";
import { colour, dashes, palette } from "./looks.js";
import { rem } from "./plane.js";
import * as state from "./state.js";
import { Card, html, number } from "./view.js";

const { say } = state;

function options(race, box, logarithmic) {
  const looks = palette();
  const font = `${Math.round(0.75 * rem())}px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: looks.soft, font, grid: { stroke: looks.line, width: 1 }, ticks: { stroke: looks.line, width: 1 } };
  const label = (x) => (x === 0 ? "0" : Math.abs(x) >= 1e4 || Math.abs(x) < 1e-3 ? `10${raised(Math.round(Math.log10(Math.abs(x))))}` : number(x, 3));
  return {
    width: box.width, height: box.height, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false, range: [0, race.lanes[0].values.length - 1] }, y: { distr: logarithmic ? 3 : 1 } },
    axes: [axis, { ...axis, size: 3.6 * rem(), ...(logarithmic && { splits: decades }), values: (_, splits) => splits.map((x) => (x === null ? "" : label(x))) }],
    series: [{}, ...race.lanes.map((lane, i) => ({
      stroke: colour(lane), dash: dashes(i), width: looks.wide * (i === state.picked.value ? 1.6 : 1), points: { show: false },
    }))],
  };
}

/** Powers of ten, so few that their labels do not meet. */
function decades(_, __, low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first) / 5));
  const found = [];
  for (let power = first; power <= last; power += every) found.push(10 ** power);
  return found;
}

function raised(n) {
  return String(n).replace(/[-\d]/g, (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻");
}

/** Only what has been seen: no more than up to t. */
function data(race, step, logarithmic) {
  const shown = (value, k) => (k <= step && value !== null && !(logarithmic && value < 1e-14) && Math.abs(value) < 1e12 ? value : null);
  return [race.lanes[0].values.map((_, k) => k), ...race.lanes.map((lane) => lane.values.map(shown))];
}

let stop = null;

function attach(place) {
  stop?.();
  stop = null;
  if (place === null) return;
  let plot = null;
  let kind = ""; // what the plot is made for: while that stays, it only gets other numbers
  const show = () => {
    const [race, step] = [state.race.value, state.t.value];
    const box = place.getBoundingClientRect();
    if (race === null || box.width === 0) return;
    const logarithmic = race.lanes.every((lane) => lane.values.every((x) => x === null || x > 0));
    const looks = race.lanes.map((lane, i) => [colour(lane), dashes(i)]);
    const now = JSON.stringify([looks, logarithmic, race.lanes[0].values.length, state.picked.value, state.projector.value, box.width, palette()]);
    if (now === kind) {
      plot.setData(data(race, step, logarithmic));
      return;
    }
    plot?.destroy();
    kind = now;
    plot = new uPlot(options(race, box, logarithmic), data(race, step, logarithmic), place);
  };
  const again = new ResizeObserver(show);
  again.observe(place);
  const dispose = frames(() => {
    void state.theme.value;
    show();
  });
  stop = () => {
    again.disconnect();
    dispose();
    plot?.destroy();
  };
}

export function Chart() {
  return html`<${Card} name="chart" title=${say("along")}>
    <div class="chart" role="img" aria-label=${say("chart", { t: state.t.value })} ref=${attach}></div>
  <//>`;
}
