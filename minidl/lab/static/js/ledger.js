// The ledger: the rule's lines with their numbers, a symbol lit in both, the pushes as bars, and why in sentences.

import * as state from "./state.js";
import { Card, Choice, Formula, html, math } from "./view.js";

const { say } = state;

function point(event) {
  const found = event.target.closest?.("[data-symbol]");
  state.lit.value = found ? Number(found.dataset.symbol) : null;
}

/** The keys of a line that has the focus: from one symbol to the next. */
function walk(event) {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  event.preventDefault();
  event.stopPropagation();
  const found = [...new Set([...event.currentTarget.querySelectorAll("[data-symbol]")].map((one) => Number(one.dataset.symbol)))];
  const at = found.indexOf(state.lit.value);
  const next = event.key === "ArrowRight" ? at + 1 : (at === -1 ? found.length : at) - 1;
  state.lit.value = found[(next + found.length) % found.length];
}

/** The terms of a sum, each with its sign: a line that is too long breaks between them. */
function terms(tree) {
  const [name, attributes, left, sign, right] = tree;
  const sum = name === "mrow" && tree.length === 5 && !("data-symbol" in attributes) && sign[0] === "mo" && "+−".includes(sign[2]);
  return sum ? [...terms(left), ["mrow", {}, ["mo", { form: "infix" }, sign[2]], right]] : [tree];
}

/** One side of a line, after what stands before it. */
function Side({ before, tree }) {
  const [first, ...more] = terms(tree);
  return [["mrow", {}, ...before, first], ...more].map((term) => html`<${Formula}>${math(term, state.lit.value)}<//>`);
}

function Line({ line, place }) {
  const lit = state.lit.value;
  const now = state.line.value; // in slow motion: what comes after this line has not been computed yet
  const later = now !== null && place > now;
  const sign = ["mo", {}, line.sign];
  const equals = ["mo", {}, "="];
  return html`<li class="${line.symbol === lit || place === now ? "now" : ""} ${later ? "later" : ""}" aria-hidden=${later ? "true" : undefined} tabindex="0" onKeyDown=${walk} onMouseOver=${point}
      onClick=${point} onFocus=${() => { state.lit.value = line.symbol; }}>
    <div class="letters"><${Side} before=${[line.left, sign]} tree=${line.expression} /></div>
    <div class="numbers">
      ${line.numbers && html`<${Side} before=${[equals]} tree=${line.numbers} />`}
      <${Side} before=${[equals]} tree=${line.result} />
    </div>
  </li>`;
}

function Bars({ pushes, step }) {
  const all = [...pushes, { name: "step", ...step }].filter((push) => push.value !== null);
  const most = Math.max(...all.map((push) => Math.abs(push.value)), 1e-300);
  return html`<table class="pushes"><caption>${say("pushes")}</caption><tbody>
    ${all.map((push) => {
      const share = (48 * Math.abs(push.value)) / most;
      const side = push.value < 0 ? { right: "50%" } : { left: "50%" };
      const sign = push.name === "step" ? "sum" : push.value < 0 ? "minus" : "plus";
      return html`<tr><th scope="row">${say(`push.${push.name}`)}</th>
        <td class="bar"><span class=${sign} style=${{ width: `${share}%`, ...side }}></span></td><td>${push.text}</td></tr>`;
    })}
  </tbody></table>`;
}

export function Ledger() {
  const entry = state.ledger.value;
  const race = state.race.value;
  const count = race?.lanes[0]?.path.length ?? 2;
  const title = entry ? entry.title : say("ledger.none");
  return html`<${Card} name="ledger" title=${say("ledger")} aside=${say("ledger.hint")}>
    <div class="which">
      ${count > 1 &&
      html`<${Choice} label=${say("coordinate")} values=${[0, 1]} value=${state.coordinate.value}
        text=${(i) => `x${"₁₂"[i]}`} onPick=${(i) => { state.coordinate.value = i; }} />`}
      <span class="chip">${title}</span>
    </div>
    ${entry === null
      ? html`<p class="why">${say(state.unrecorded.value && state.t.value > 0 ? "ledger.offline" : "ledger.start")}</p>`
      : html`<div class=${state.dragging.value ? "stale" : ""}><ol class="lines" onMouseLeave=${() => { state.lit.value = null; }}>
            ${entry.lines.map((line, place) => html`<${Line} line=${line} place=${place} />`)}
          </ol>
          ${entry.remarks.map((remark) => html`<p class="remark">${remark}</p>`)}
          ${state.line.value === null && html`<${Bars} pushes=${entry.pushes} step=${entry.step} />`}
          <div class="why ${state.line.value === null ? "" : "later"}" lang=${state.language.value}>${entry.sentences.map((one) => html`<p>${one}</p>`)}</div></div>`}
  <//>`;
}
