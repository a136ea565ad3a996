import { find } from "./dom.js";

/** Headings for what goes wrong; the server's sentence stands below. */
const TITLES = {
  no_face: "No face was found",
  several_faces: "There is more than one face",
  face_too_small: "The face is too small",
  turned_away: "The face is turned away",
  covered: "The face is covered",
  cut_off: "Part of the face is missing",
  eyes_closed: "The eyes are closed",
  not_an_image: "This is not a photo",
  too_large: "The photo is too large",
  too_slow: "The photo came too slowly",
  points_invalid: "The points do not fit a face",
  name_taken: "The name is taken",
  name_invalid: "The name does not work",
  no_consent: "Consent is needed",
  busy: "Too many at once",
  unknown_draft: "The draft is gone",
  network: "No connection",
  camera: "The camera cannot be used",
  photo_needed: "A photo is needed",
};

/**
 * Say what went wrong, above what is to be done.
 *
 * @param {string} code
 * @param {string} message
 */
export function complain(code, message) {
  const box = find("alert", HTMLElement);
  find("alert-title", HTMLElement).textContent = TITLES[/** @type {keyof typeof TITLES} */ (code)] ?? "This did not work";
  find("alert-text", HTMLElement).textContent = sentence(message);
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

/**
 * Say what is wrong with a field, below it.
 *
 * @param {HTMLInputElement} field
 * @param {string} message
 */
export function wrong(field, message) {
  find(`${field.id}-error`, HTMLElement).textContent = message;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/** Take back all that was said. */
export function calm() {
  find("alert", HTMLElement).hidden = true;
  for (const place of document.querySelectorAll(".wrong")) {
    place.textContent = "";
  }
  for (const field of document.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
  }
}

/** @param {string} text  with a capital letter and a full stop, or without */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/u.test(begun) ? begun : `${begun}.`;
}
