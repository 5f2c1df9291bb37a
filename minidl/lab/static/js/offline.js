// Answers without a server: the rules, the surfaces and their gradients as minidl wrote them out, and what it recorded.
// What is here besides is how a race is walked and summed up, as teach.race and lab/surface.py do; a test compares them.

import { PROGRAMS } from "../written/rules.js";
import { SURFACES } from "../written/surfaces.js";

const FAR = 1e6;
let hello = null;

async function read(name) {
  const reply = await fetch(`static/written/${name}`);
  return reply.json();
}

function refuse(code, what = "", fix = "") {
  return Object.assign(new Error(what), { code, what, fix });
}

/** All hyperparameters of a lane: its own, before those of the note's convention, before the rule's defaults. */
function settings(lane, note) {
  const rule = hello.rules.find((one) => one.name === lane.rule);
  const defaults = Object.fromEntries(rule.hyperparameters.map((one) => [one.name, one.default]));
  const found = { lr: rule.lr, ...defaults, ...(rule.conventions[note] ?? {}), ...lane.settings };
  for (const one of rule.hyperparameters) {
    const value = found[one.name];
    if (one.kind === "choice" || (value === null && one.optional)) continue;
    if (!(typeof value === "number" && value >= 0 && value < (one.below ?? Infinity))) throw refuse("option", `${lane.rule}: ${one.name}=${value}`);
  }
  return found;
}

/** The program of a rule with these options. */
function program(rule, given) {
  const found = PROGRAMS.find((one) => one.rule === rule && Object.entries(one.options).every(([name, value]) =>
    (name === "weight_decay" ? (given[name] !== 0) === value : name in one.nullable ? (given[name] !== null) === value : given[name] === value)));
  if (!found) throw refuse("option", rule);
  return found.run;
}

function walk(lane, note, f, start, steps) {
  if ((lane.schedule ?? "constant") !== "constant") throw refuse("offline", lane.schedule);
  const given = settings(lane, note);
  const rule = program(lane.rule, given);
  const after = { ...given, ...(lane.fork?.settings ?? {}) };
  let points = start.map((theta) => ({ theta, state: rule(theta, 0, Array(8).fill(0), { ...given, t: 1 }).start }));
  const path = [start];
  for (let t = 1; t <= steps; t += 1) {
    const [, gradient] = f(...points.map((point) => point.theta));
    const numbers = { ...(lane.fork && t > lane.fork.at ? after : given), t };
    points = points.map((point, i) => rule(point.theta, gradient[i], point.state, numbers));
    path.push(points.map((point) => point.iterate));
  }
  return path;
}

function length(point) {
  return Math.sqrt(point.reduce((sum, x) => sum + x * x, 0));
}

function distance(point, value, minima) {
  return minima.length ? Math.min(...minima.map((least) => length(point.map((x, i) => x - least[i])))) : value;
}

/** The step at which a run left, if it did. */
function left(path, values) {
  const gone = path.findIndex((point, t) => !(length(point.map((x, i) => x - path[0][i])) < FAR) || !Number.isFinite(values[t]));
  if (gone !== -1) return gone;
  const growing = values.at(-1) > 10 * Math.max(Math.abs(values[0]), 1e-12);
  return growing ? Math.max(0, values.findIndex((x) => x > values[0])) : null;
}

function frame(domain, paths) {
  return domain.map(([low, high], i) => {
    const room = high - low;
    const near = paths.flat().map((point) => point[i]).filter((x) => x >= low - room / 2 && x <= high + room / 2);
    const [least, most] = near.length ? [Math.min(...near), Math.max(...near)] : [low, high];
    const below = least >= low ? 0 : (room / 10) * Math.ceil((low - least) / (room / 10) + 0.3);
    const above = most <= high ? 0 : (room / 10) * Math.ceil((most - high) / (room / 10) + 0.3);
    return [Number((low - below).toFixed(6)), Number((high + above).toFixed(6))];
  });
}

function nearest(numbers) {
  const finite = numbers.filter(Number.isFinite);
  const least = Math.min(...finite);
  return finite.length && numbers.filter((x) => x === least).length === 1 ? numbers.indexOf(least) : null;
}

const sent = (x) => (Number.isFinite(x) ? x : null);

/** A number as Python writes it with six decimals. */
function fixed(x) {
  if (!Number.isFinite(x)) return { Infinity: "inf", "-Infinity": "-inf" }[x] ?? "nan";
  if (Object.is(x, -0)) return "-0.000000";
  return Math.abs(x) < 1e21 ? x.toFixed(6) : `${BigInt(x)}.000000`;
}

function race({ surface, start, lanes, steps, note, preset }) {
  const shape = SURFACES[surface.name];
  const paths = lanes.map((lane) => walk(lane, note, shape.f, start, steps));
  const values = paths.map((path) => path.map((point) => shape.f(...point)[0]));
  const far = paths.map((path, i) => path.map((point, t) => distance(point, values[i][t], shape.minima)));
  const ends = paths.map((path) => (start.length === 2 ? path.at(-1).map((x, i) => `x${i + 1}: ${fixed(x)}`).join(", ") : `x: ${fixed(path.at(-1)[0])}`));
  const found = {
    lanes: lanes.map((lane, i) => ({
      rule: lane.rule, path: start.map((_, k) => paths[i].map((point) => sent(point[k]))), values: values[i].map(sent),
      distance: far[i].map(sent), end: ends[i], diverged: left(paths[i], values[i]), excess: null, radius: null,
    })),
    nearest: paths[0].map((_, t) => nearest(far.map((one) => one[t]))),
    by: shape.minima.length ? "distance" : "value",
    domain: frame(shape.domain, paths),
  };
  const printed = hello.presets.find((one) => one.row === preset)?.printed;
  const same = printed?.length === lanes.length && steps === 20;
  if (preset) found.checks = same ? printed.map((one, i) => ({ ...one, agrees: one.printed === ends[i] })) : [];
  return found;
}

function field({ surface, n, domain }) {
  const shape = SURFACES[surface.name];
  const shown = domain ?? shape.domain;
  const axes = shown.map(([low, high]) => Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1)));
  const points = axes.length === 1 ? axes[0].map((x) => [x]) : axes[1].flatMap((y) => axes[0].map((x) => [x, y]));
  const { written, start, minima } = shape;
  return { written, start, minima, n, domain: shown, values: points.map((point) => sent(shape.f(...point)[0])) };
}

function same(a, b) {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}

/** The recording that a message asks for, if there is one. */
function recorded(list, { surface, start, note, lane }) {
  return list.find((one) => one.surface === surface.name && one.note === note && one.rule === lane.rule && same(one.start, start) && same(one.settings, lane.settings));
}

const files = new Map();

async function ledger(asked) {
  const lane = asked.lanes[asked.lane];
  const found = lane.fork || (lane.schedule ?? "constant") !== "constant" ? null : recorded(hello.recorded, { ...asked, lane });
  if (!found || asked.t > 20) throw refuse("offline");
  if (!files.has(found.file)) files.set(found.file, read(found.file));
  const entry = (await files.get(found.file))[`${asked.t}.${asked.coordinate}`];
  return { ...entry, sentences: entry.sentences[asked.language], remarks: entry.remarks[asked.language] };
}

async function map(asked) {
  const rule = hello.rules.find((one) => one.name === asked.lane.rule);
  const first = rule.hyperparameters.find((one) => one.kind === "number" && one.below === 1)?.name;
  const { lr, [first]: _, ...others } = asked.lane.settings;
  const found = recorded(hello.maps, { ...asked, lane: { rule: asked.lane.rule, settings: others } });
  if (!found) throw refuse("offline");
  return read(found.file);
}

/** The reply to a message, as `LabSession.handle` gives it. */
export async function answer(op, fields) {
  hello ??= await read("hello.json");
  const work = { hello: () => hello, "surface.field": field, "surface.race": race, "surface.stability": map, ledger };
  if (!(op in work)) throw refuse("offline", op);
  return work[op](fields);
}
