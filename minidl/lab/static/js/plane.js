// From coordinates of the surface to pixels and back; axes with ticks.

import { ticks } from "../vendor/d3-array.min.mjs";

const LEFT = 46;
const BOTTOM = 30;

export class Plane {
  /** `across` and `up` are intervals; the picture is as wide and high as the canvas less the room for ticks. */
  constructor(width, height, across, up) {
    Object.assign(this, { width, height, across, up, left: LEFT, bottom: BOTTOM });
  }

  x(value) {
    const [low, high] = this.across;
    return this.left + ((value - low) / (high - low)) * (this.width - this.left);
  }

  y(value) {
    const [low, high] = this.up;
    return (1 - (value - low) / (high - low)) * (this.height - this.bottom);
  }

  at(px, py) {
    const [x0, x1] = this.across;
    const [y0, y1] = this.up;
    return [x0 + ((px - this.left) / (this.width - this.left)) * (x1 - x0), y0 + (1 - py / (this.height - this.bottom)) * (y1 - y0)];
  }

  clip(context) {
    context.beginPath();
    context.rect(this.left, 0, this.width - this.left, this.height - this.bottom);
    context.clip();
  }

  axes(context, looks, names) {
    context.font = `${Math.round(0.75 * rem())}px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = looks.soft;
    context.strokeStyle = looks.line;
    context.lineWidth = 1;
    context.strokeRect(this.left + 0.5, 0.5, this.width - this.left - 1, this.height - this.bottom - 1);
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of ticks(...this.across, Math.max(3, (this.width - this.left) / 90))) {
      const x = this.x(tick);
      if (x < this.left + 8 || x > this.width - 24) continue;
      context.fillText(minus(tick), x, this.height - this.bottom + 8);
      context.fillRect(x, this.height - this.bottom, 1, 5);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticks(...this.up, Math.max(3, (this.height - this.bottom) / 60))) {
      const y = this.y(tick);
      if (y < 22 || y > this.height - this.bottom - 6) continue;
      context.fillText(minus(tick), this.left - 8, y);
      context.fillRect(this.left - 5, y, 5, 1);
    }
    context.fillStyle = looks.ink;
    context.font = `italic ${Math.round(0.9 * rem())}px serif`;
    context.fillText(names[1], this.left - 10, 10);
    context.textBaseline = "top";
    context.fillText(names[0], this.width - 2, this.height - this.bottom + 6);
  }
}

function minus(x) {
  return String(Number(x.toPrecision(6))).replace("-", "−");
}

export function rem() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** A canvas as sharp as the screen, in CSS pixels; what it is drawn on, its width and its height. */
export function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}
