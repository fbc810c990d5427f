// @ts-check
// Small helpers: make elements (text is always text, never markup), find them, remember things, say things.

/** @import { Child, Props } from "../types.d.ts" */

/**
 * Make an element. props: properties or attributes by name, listeners as `onclick`, `class`, and `data` for data-…
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props] those that are undefined, null or false are left out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  const own = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (element));
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "class") element.className = String(value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element && name !== "list" && name !== "form") own[name] = value;
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of a drawing; `props` are attributes.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} [props]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {string} path one of ICONS */
export function icon(path) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}

export const ICONS = {
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  download: "M12 4v11m-5-5l5 5 5-5M5 20h14",
  photo: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  again: "M4 12a8 8 0 1 1 2.6 5.9M4 20v-5h5",
  up: "M6 14l6-6 6 6",
  down: "M6 10l6 6 6-6",
  top: "M6 5h12M6 15l6-6 6 6M12 9v11",
  pause: "M9 5v14M15 5v14",
  forward: "M4 6l7 6-7 6zM13 6l7 6-7 6z",
  play: "M8 5v14l11-7z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  swap: "M4 8h14l-4-4M20 16H6l4 4",
  share: "M12 15V4m-4 4l4-4 4 4M6 11H5v9h14v-9h-1",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  star: "M12 4l2.5 5.2 5.5.8-4 4 1 5.6-5-2.7-5 2.7 1-5.6-4-4 5.5-.8z",
  sliders: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
};

/** @param {string} id of an element that the page always has; an Error where it has none */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * The first element inside `root` that matches; an Error where none does.
 *
 * @template {string} S
 * @param {ParentNode} root
 * @param {S} selector
 * @returns {S extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[S] : HTMLElement}
 */
export function find(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`nothing matches ${selector}`);
  return /** @type {any} */ (found);
}

/** @param {Element} list of elements that h() has made @returns {HTMLElement[]} */
export function childrenOf(list) {
  return /** @type {HTMLElement[]} */ ([...list.children]);
}

/**
 * Make `list` show `wanted`, in this order. What is at its place already is not touched, so that it keeps its focus.
 *
 * @param {Element} list
 * @param {Element[]} wanted
 */
export function arrange(list, wanted) {
  for (const [at, element] of wanted.entries()) {
    if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
  }
}

/** @param {Element} list @param {number} count so many of its elements stay */
export function shorten(list, count) {
  while (list.childElementCount > count) list.lastElementChild?.remove();
}

/**
 * A listener that leaves out the later clicks of a double click: where the first has removed a row, the second one hits
 * the row that has taken its place.
 *
 * @param {() => unknown} act
 */
export function single(act) {
  return (/** @type {MouseEvent} */ event) => event.detail < 2 && act();
}

/**
 * As `single`; and it does nothing while its last `act()` is under way.
 *
 * @param {() => unknown} act
 */
export function once(act) {
  return async (/** @type {MouseEvent} */ event) => {
    const target = /** @type {Element} */ (event.currentTarget);
    if (event.detail > 1 || target.hasAttribute("aria-busy")) return;
    target.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      target.removeAttribute("aria-busy");
    }
  };
}

/**
 * To what has taken the place of something that is gone, the page's content where nothing has: keyboards go on from there.
 *
 * @param {HTMLElement | null | undefined | false} element
 */
export function focusOn(element) {
  if (element) element.focus();
  else byId("main").focus({ preventScroll: true });
}

/**
 * Write the content of `root` anew; the focus, and where one types, stay on the field of the same id, or name and value.
 *
 * @template T
 * @param {HTMLElement} root
 * @param {() => T} write
 * @returns {T} what `write` returns
 */
export function keepFocus(root, write) {
  const focused = /** @type {HTMLInputElement | null} */ (root.contains(document.activeElement) ? document.activeElement : null);
  const made = write();
  if (!focused || focused.isConnected) return made;
  const wanted = focused.id ? `#${CSS.escape(focused.id)}` : focused.name && `[name="${CSS.escape(focused.name)}"][value="${CSS.escape(focused.value)}"]`;
  const field = wanted ? /** @type {HTMLInputElement | null} */ (root.querySelector(wanted)) : null;
  field?.focus();
  if (field?.matches("textarea")) {
    field.value = focused.value;
    field.setSelectionRange(focused.selectionStart, focused.selectionEnd);
  }
  return made;
}

/** Set only what differs: streaming must not restart animations or move the page. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} element of HTML or of a drawing @param {boolean} visible */
export function show(element, visible) {
  const target = /** @type {HTMLElement} */ (element);
  if (target.hidden === visible) target.hidden = !visible;
}

/**
 * Say something for a while; who points at it, or has the focus in it, has all the time to read it.
 *
 * @param {string} text
 * @param {"info" | "error"} [kind]
 * @param {number} [ms]
 * @param {() => unknown} [over] called when the while is over
 */
export function toast(text, kind = "info", ms = kind === "error" ? 9000 : 4500, over = () => {}) {
  const box = h("div", { class: `toast ${kind}` }, text);
  /** @type {number | undefined} */
  let timer;
  const stay = () => clearTimeout(timer);
  const begin = () => {
    stay();
    timer = setTimeout(() => {
      box.remove();
      over();
    }, ms);
  };
  for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) box.addEventListener(event, begin);
  byId("toasts").append(box);
  begin();
  return box;
}

/** Whether the system asks for less motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Smoothly, where motion is wanted. @param {Element} element @param {ScrollLogicalPosition} block */
export function scrollIntoSight(element, block) {
  element.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block });
}

/** On a narrow screen form and job stand one below the other. @param {string} id */
export function reveal(id) {
  if (matchMedia("(max-width: 999px)").matches) scrollIntoSight(byId(id), "start");
}
