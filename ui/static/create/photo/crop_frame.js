// @ts-check
// The mark of the part of a photo that the clip keeps: moved by mouse, touch or arrow keys along the side that is cut.

import { t } from "../../lib/catalogue.js";
import { h, show } from "../../lib/dom.js";

const STEP = 0.02; // of the way, for an arrow key
const LEAP = 0.2; // with Page Up and Page Down

/** Where a key moves the part that is kept; undefined: it is no such key. @param {string} key @param {number} position 0..1 */
export function keyMove(key, position) {
  /** @type {Record<string, number>} */
  const ways = { ArrowLeft: -STEP, ArrowUp: -STEP, ArrowRight: STEP, ArrowDown: STEP, PageUp: -LEAP, PageDown: LEAP, Home: -1, End: 1 };
  return key in ways ? within(position + ways[key]) : undefined;
}

/** In hundredths: what is sent and kept is what is read aloud. @param {number} position */
export function within(position) {
  return Math.round(100 * Math.min(1, Math.max(0, position))) / 100;
}

export class CropFrame {
  /** @param {string} name of the photo @param {(position: number) => void} move called with where it was moved to, 0..1 */
  constructor(name, move) {
    this.name = name;
    this.move = move;
    this.axis = "x";
    this.free = 0;
    this.position = 0.5;
    /** @type {{ at: number, position: number } | null} */
    this.held = null; // where the pointer took it
    this.element = h("div", {
      class: "frame", role: "slider", tabIndex: 0, "aria-valuemin": 0, "aria-valuemax": 100, hidden: true,
      onpointerdown: (event) => this.take(event), onpointermove: (event) => this.drag(event),
      onpointerup: () => (this.held = null), onpointercancel: () => (this.held = null), onkeydown: (event) => this.pressed(event),
    });
  }

  /** @param {{ inset: string, axis: string, free: number }} cut see framing.js @param {number} position 0..1 */
  draw({ inset, axis, free }, position) {
    const { element } = this;
    Object.assign(this, { axis, free, position });
    show(element, inset !== "");
    if (!inset) return;
    element.style.setProperty("inset", inset);
    element.dataset.axis = axis;
    element.setAttribute("aria-label", `${t("form.position")}: ${this.name}`);
    element.setAttribute("aria-orientation", axis === "x" ? "horizontal" : "vertical");
    element.setAttribute("aria-valuenow", String(Math.round(100 * position)));
  }

  /** @param {PointerEvent} event */
  place(event) {
    return this.axis === "x" ? event.clientX : event.clientY;
  }

  /** @param {PointerEvent} event */
  take(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.held = { at: this.place(event), position: this.position };
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const box = this.element.parentElement?.getBoundingClientRect();
    if (!this.held || !box) return;
    const way = this.free * (this.axis === "x" ? box.width : box.height);
    this.go(within(this.held.position + (this.place(event) - this.held.at) / way));
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const to = event.ctrlKey || event.metaKey || event.altKey ? undefined : keyMove(event.key, this.position);
    if (to === undefined) return;
    event.preventDefault(); // nor does the page scroll
    this.go(to);
  }

  /** @param {number} position */
  go(position) {
    if (position !== this.position) this.move(position);
  }
}
