import { Camera } from "./camera.js";
import { desk } from "./desk.js";
import { find } from "./dom.js";
import { PointEditor } from "./points.js";

/** @typedef {"license" | "photo" | "camera" | "working" | "points" | "preview" | "saved"} View */

export const photo = find("photo", HTMLImageElement);
export const film = find("film", HTMLVideoElement);
export const poster = find("poster", HTMLImageElement);
export const play = find("play", HTMLButtonElement);
export const camera = new Camera(find("camera", HTMLVideoElement));
export const editor = new PointEditor(find("editor", HTMLElement), find("parts", HTMLElement));

/** How far on the way each view is, and which step it belongs to. */
const VIEWS = {
  license: { reached: -1, step: "" },
  photo: { reached: 0, step: "photo" },
  camera: { reached: 0, step: "photo" },
  working: { reached: 1, step: "working" },
  points: { reached: 1, step: "points" },
  preview: { reached: 2, step: "preview" },
  saved: { reached: 3, step: "saved" },
};

/** What is seen now. */
export function view() {
  return /** @type {View} */ (document.body.dataset.view);
}

/** @param {View} now */
export function show(now) {
  const { reached, step } = VIEWS[now];
  document.body.dataset.view = now;
  const unseen = (/** @type {string} */ id, /** @type {boolean} */ hidden) => (find(id, HTMLElement).hidden = hidden);
  unseen("license", now !== "license");
  unseen("bench", now === "license");
  for (const section of document.querySelectorAll(".step")) {
    section.toggleAttribute("hidden", section.id !== `step-${step}`);
  }
  const chosen = desk.chosen !== null;
  unseen("drop", now !== "photo" || chosen);
  photo.hidden = !(now === "working" || (now === "photo" && chosen)) || !photo.src;
  unseen("camera", now !== "camera");
  unseen("editor", now !== "points");
  film.hidden = now !== "preview" || !film.src;
  poster.hidden = !(now === "saved" || (now === "preview" && film.hidden)) || !poster.src;
  unseen("badge", now !== "preview" && now !== "saved");
  play.hidden = film.hidden || !film.paused;
  unseen("under-photo", now !== "photo");
  unseen("choose-other", !chosen);
  unseen("open-camera", !Camera.possible);
  unseen("under-camera", now !== "camera");
  unseen("under-points", now !== "points");
  for (const [index, item] of [...find("way", HTMLElement).children].entries()) {
    item.toggleAttribute("data-done", index < reached);
    if (index === reached) {
      item.setAttribute("aria-current", "step");
    } else {
      item.removeAttribute("aria-current");
    }
  }
  if (now !== "preview") {
    film.pause();
  }
  if (now !== "camera") {
    camera.close();
  }
}

/** Let people who do not see the page know where they are. */
export function focusHeading() {
  const heading = document.querySelector(".step:not([hidden]) h1, .license:not([hidden]) h1");
  if (heading instanceof HTMLElement) {
    heading.focus({ preventScroll: true });
  }
  scrollTo({ top: 0 });
}

/** The first view. */
export function start() {
  show("photo");
  document.title = "Your own avatar · visavis";
}

/** Know and show nothing of the draft any more. */
export function forget() {
  desk.clear();
  for (const element of [photo, poster, film]) {
    element.removeAttribute("src");
  }
  film.load();
  editor.close();
}
