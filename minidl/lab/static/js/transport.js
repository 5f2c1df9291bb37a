// Messages to whoever answers: a websocket to `minidl lab`, or in an exported folder offline.js. The page knows `request`.

import { signal } from "../vendor/signals-core.mjs";

export const connected = signal(false);

const waiting = new Map();
let socket = null;
let answer = null; // of offline.js
let last = 0;
let pause = 250;

/** Whether answers are waited for, for style sheets and tests. */
function tell() {
  document.documentElement.toggleAttribute("data-busy", waiting.size > 0);
}

function open() {
  const address = new URL("socket", location.href);
  address.protocol = "ws:";
  address.hash = address.search = "";
  socket = new WebSocket(address);
  socket.onopen = () => {
    pause = 250;
    connected.value = true;
  };
  socket.onmessage = (event) => {
    const reply = JSON.parse(event.data);
    const one = waiting.get(reply.id);
    waiting.delete(reply.id);
    tell();
    if (one === undefined) return;
    if (reply.error) one.reject(reply.error);
    else one.resolve(reply.ok);
  };
  socket.onclose = () => {
    connected.value = false;
    for (const one of waiting.values()) one.reject({ code: "closed" });
    waiting.clear();
    tell();
    setTimeout(open, pause);
    pause = Math.min(4000, 2 * pause);
  };
}

export async function connect() {
  if (document.querySelector('meta[name="minidl-lab"]') === null) {
    open();
    return;
  }
  ({ answer } = await import("./offline.js"));
  connected.value = true;
}

/** The reply to a message; rejects with an object of code, what and fix. */
export function request(op, fields = {}) {
  return new Promise((resolve, reject) => {
    if (!connected.value) {
      reject({ code: "closed" });
      return;
    }
    last += 1;
    if (answer !== null) {
      resolve(answer(op, fields));
      return;
    }
    waiting.set(last, { resolve, reject });
    tell();
    socket.send(JSON.stringify({ id: last, op, ...fields }));
  });
}

/** A function that asks, one message at a time: of those that come meanwhile the newest is asked next. */
export function latest(op, received, failed) {
  let busy = false;
  let next = null;
  async function ask(fields) {
    if (busy) {
      next = fields;
      return;
    }
    busy = true;
    try {
      received(await request(op, fields), fields);
    } catch (error) {
      if (error.code === undefined) throw error;
      if (error.code !== "closed") failed(error);
    } finally {
      busy = false;
    }
    if (next !== null) {
      const newest = next;
      next = null;
      ask(newest);
    }
  }
  return ask;
}
