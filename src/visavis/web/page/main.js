import { VisavisAvatar, explain } from "../sdk/visavis-avatar.js";
import { keepLicense, ownServer, readAddress } from "./address.js";

const address = readAddress();
const form = find("license", HTMLFormElement);
const settings = find("open-settings", HTMLButtonElement);
const avatar = new VisavisAvatar();

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function find(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new Error(`the page has no ${kind.name} "${id}"`);
  }
  return found;
}

/**
 * @param {string} type  of the avatar's event
 * @param {(detail: any) => void} handler
 */
function on(type, handler) {
  avatar.addEventListener(`visavis-${type}`, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}

/** @param {string} [title]  what was wrong with the license before */
function askForLicense(title) {
  if (title) {
    find("license-title", HTMLElement).textContent = title;
    find("license-text", HTMLElement).textContent =
      "Open the address that the server prints when it starts, or enter another key.";
  }
  avatar.remove();
  form.hidden = false;
  settings.hidden = true;
  document.body.dataset.view = "license";
  find("license-title", HTMLElement).focus({ preventScroll: true });
}

/** @param {string} license */
function begin(license) {
  form.hidden = true;
  settings.hidden = false;
  avatar.setAttribute("license", license);
  form.after(avatar);
  document.body.dataset.view = avatar.view;
}

for (const [name, value] of Object.entries({
  server: ownServer().href,
  layout: "fill",
  chooser: "",
  "background-chooser": "",
  camera: "off",
  persistence: "tab",
  "avatar-id": address.avatarId,
  name: address.name,
  model: address.model,
})) {
  if (value || name.endsWith("chooser")) {
    avatar.setAttribute(name, value);
  }
}
on("view", (view) => (document.body.dataset.view = view));
on("chosen", ({ shortName }) => (document.title = `${shortName} · visavis`));
on("error", ({ code }) => {
  if (code === "invalid_license") {
    askForLicense(explain(code).title);
  }
});
settings.addEventListener("click", () => void avatar.openSettings());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const license = find("license-field", HTMLInputElement).value.trim();
  keepLicense(license);
  begin(license);
});

if (address.license) {
  begin(address.license);
} else {
  askForLicense();
}
