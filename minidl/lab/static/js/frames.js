// What is drawn is drawn once a frame, however many of the signals that it read have changed.

import { effect } from "../vendor/signals-core.mjs";

/** Call `act` now, and in the next frame after any signal that it read has changed; a function that ends this. */
export function frames(act) {
  let dispose = null;
  let pending = null;
  function run() {
    pending = null;
    dispose?.();
    let first = true;
    dispose = effect(() => {
      if (first) {
        first = false;
        act();
      } else pending ??= requestAnimationFrame(run); // it reads nothing now, so it is not called again before that
    });
  }
  run();
  return () => {
    if (pending !== null) cancelAnimationFrame(pending);
    dispose();
  };
}

/** For a canvas's `ref`: `draw` it now, when its size changes, and when a signal has changed that `draw` or `read` reads. */
export function drawing(draw, read) {
  let stop = null;
  return (canvas) => {
    stop?.();
    stop = null;
    if (canvas === null) return;
    const again = new ResizeObserver(() => draw(canvas));
    again.observe(canvas);
    const dispose = frames(() => {
      read();
      draw(canvas);
    });
    stop = () => {
      again.disconnect();
      dispose();
    };
  };
}
