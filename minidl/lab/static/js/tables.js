// The same numbers as tables: every lane at t, and every step of the picked lane up to it.

import * as state from "./state.js";
import { Card, html, number } from "./view.js";

const { say } = state;
const LAST = 200; // rows

function full(x) {
  return x === null ? "∞" : String(x).replaceAll("-", "−");
}

export function Tables() {
  const race = state.race.value;
  if (race === null || !state.asTable.value) return null;
  const step = state.t.value;
  const names = race.lanes[0].path.map((_, i) => `x${"₁₂"[i]}`);
  const lane = race.lanes[Math.min(state.picked.value, race.lanes.length - 1)];
  const first = Math.max(0, step - LAST);
  const heads = (more) => html`<tr>${[...more, ...names, "f"].map((name) => html`<th scope="col">${name}</th>`)}</tr>`;
  const cells = (one, k, show) => html`${one.path.map((axis) => html`<td>${show(axis[k])}</td>`)}<td>${show(one.values[k])}</td>`;
  return html`<${Card} name="table" title=${say("table.title", { t: step })}>
    <div class="scroll" tabindex="0" role="region" aria-label=${say("table.lanes", { t: step })}><table>
      <caption>${say("table.lanes", { t: step })}</caption><thead>${heads([say("rule.head"), say("far")])}</thead>
      <tbody>${race.lanes.map((one) => html`<tr><th scope="row">${one.rule}</th><td>${number(one.distance[step], 6)}</td>${cells(one, step, full)}</tr>`)}</tbody>
    </table></div>
    <div class="scroll" tabindex="0" role="region" aria-label=${say("table.steps", { rule: lane.rule })}><table>
      <caption>${say("table.steps", { rule: lane.rule })}</caption><thead>${heads(["t"])}</thead>
      <tbody>${lane.values.slice(first, step + 1).map((_, k) => html`<tr><th scope="row">${first + k}</th>${cells(lane, first + k, full)}</tr>`)}</tbody>
    </table></div>
  <//>`;
}
