// Small helpers: make elements (text is always text, never markup), remember things, show numbers to people.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing; `props` are attributes. */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

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
  play: "M8 5v14l11-7z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  star: "M12 4l2.5 5.2 5.5.8-4 4 1 5.6-5-2.7-5 2.7 1-5.6-4-4 5.5-.8z",
  sliders: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
};

/** A listener that does nothing while its last `act()` is under way: a double click is one click. */
export function once(act) {
  return async ({ currentTarget }) => {
    if (currentTarget.hasAttribute("aria-busy")) return;
    currentTarget.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      currentTarget.removeAttribute("aria-busy");
    }
  };
}

/** To what has taken the place of something that is gone, the page's content where nothing has: keyboards go on from there. */
export function focusOn(element) {
  if (element) element.focus();
  else document.getElementById("main").focus({ preventScroll: true });
}

/** Set only what differs: streaming must not restart animations or move the page. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

export function remember(key, value) {
  try {
    localStorage.setItem(`fanslymotion.${key}`, JSON.stringify(value));
  } catch {
    // private windows may refuse; remembering is a comfort only
  }
}

export function recall(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`fanslymotion.${key}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function toast(text, kind = "info", ms = kind === "error" ? 9000 : 4500) {
  const box = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), ms);
  return box;
}

/** Into the clipboard; also on http://192.168…, where browsers hide navigator.clipboard. Whether it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = h("textarea", { value: text, class: "unseen", readOnly: true, "aria-hidden": true });
    document.getElementById("studio").append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied;
  }
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
