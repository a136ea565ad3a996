import { VisavisAvatar, explain } from "../sdk/visavis-avatar.js";
import { keepLicense, ownServer, readAddress } from "./address.js";

/** @typedef {import("../sdk/visavis.js").VisavisError} VisavisError */

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

/** @param {VisavisError} [error]  what was wrong with the license before */
function askForLicense(error) {
  if (error) {
    find("license-title", HTMLElement).textContent = explain(error.code).title;
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
  camera: "off",
  persistence: "tab",
  "avatar-id": address.avatarId,
  name: address.name,
  model: address.model,
})) {
  if (value || name === "chooser") {
    avatar.setAttribute(name, value);
  }
}
avatar.addEventListener("visavis-view", ({ detail }) => (document.body.dataset.view = detail));
avatar.addEventListener("visavis-chosen", ({ detail }) => (document.title = `${detail.shortName} · visavis`));
avatar.addEventListener("visavis-error", ({ detail }) => {
  if (detail.code === "invalid_license") {
    askForLicense(detail);
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
