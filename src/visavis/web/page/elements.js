/**
 * An element of the page that must be there.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new Error(`the page has no ${kind.name} "${id}"`);
  }
  return found;
}

/** @param {string} id */
export function button(id) {
  return element(id, HTMLButtonElement);
}

/** @param {string} id */
export function box(id) {
  return element(id, HTMLElement);
}

/**
 * Show another of the page's icons in a button.
 *
 * @param {HTMLElement} holder
 * @param {string} icon
 */
export function setIcon(holder, icon) {
  holder.querySelector("use")?.setAttribute("href", `#icon-${icon}`);
}
