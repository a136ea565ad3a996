/** Outlines of the icons, on a field of 24 × 24. */
const ICONS = Object.freeze({
  mic: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  "mic-off":
    "M9 9.2V11a3 3 0 0 0 4.6 2.5M15 10.5V6a3 3 0 0 0-5.8-1M5.5 11.5a6.5 6.5 0 0 0 10 5.4M18.5 11.5c0 1.1-.27 2.1-.75 3M12 18v3M4 4l16 16",
  camera: "M5.5 6.5h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM14.5 11l6-3.2v8.4l-6-3.2",
  "camera-off":
    "M9.5 6.5h3a2 2 0 0 1 2 2v2.5l6-3.2v8.4l-3-1.6M14.5 15.5a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 1.4-1.9M4 4l16 16",
  settings: "M4 7h8M18 7h2M4 17h2M12 17h8M12.5 7a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0M6.5 17a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",
  phone:
    "M6.2 3.5h2.7l1.5 4.2-2 1.4a12 12 0 0 0 6.5 6.5l1.4-2 4.2 1.5v2.7a2.2 2.2 0 0 1-2.4 2.2A16.5 16.5 0 0 1 4 5.9a2.2 2.2 0 0 1 2.2-2.4Z",
  "hang-up":
    "M3.2 14.8c-.9-.9-1-2.2-.2-3.1 4.9-5.2 13.1-5.2 18 0 .8.9.7 2.2-.2 3.1l-1.1 1.1c-.6.6-1.5.7-2.2.3l-2-1.2c-.6-.4-.9-1-.8-1.7l.2-1.3a10 10 0 0 0-5.8 0l.2 1.3c.1.7-.2 1.3-.8 1.7l-2 1.2c-.7.4-1.6.3-2.2-.3Z",
  send: "M12 19V5M6 11l6-6 6 6",
  check: "m6 12.5 4 4 8-9",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  person: "M12 5.5a4.3 4.3 0 1 1 0 8.6 4.3 4.3 0 0 1 0-8.6ZM3.4 24c.5-5.3 4.1-7.9 8.6-7.9s8.1 2.6 8.6 7.9Z",
});

/** @typedef {keyof typeof ICONS} IconName */

/**
 * An element. Built without markup, so that it also works on pages that require trusted types.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Readonly<Record<string, string | boolean>>} [attributes]  true: an attribute without value; false: none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children);
  return element;
}

/**
 * @param {IconName} name
 * @param {{solid?: boolean, className?: string}} [options]  solid: filled rather than outlined
 */
export function icon(name, { solid = false, className = "" } = {}) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `${solid ? "solid" : ""} ${className}`.trim());
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  setIcon(svg, name);
  return svg;
}

/**
 * Show another icon.
 *
 * @param {Element} holder  the icon, or what holds it
 * @param {IconName} name
 */
export function setIcon(holder, name) {
  holder.querySelector("path")?.setAttribute("d", ICONS[name]);
}

/**
 * What is said about a button, to those who see it and those who do not.
 *
 * @param {HTMLElement} button
 * @param {string} text
 */
export function setLabel(button, text) {
  button.setAttribute("aria-label", text);
  button.title = text;
}
