import { desk } from "./desk.js";
import { find, make } from "./dom.js";
import { sentence } from "./notices.js";
import { editor, film, play, poster, show, view } from "./stage.js";

/** @typedef {import("./api.js").Draft} Draft */

const UNSURE = 0.5;
const glasses = find("glasses", HTMLInputElement);
const voice = find("preview-voice", HTMLSelectElement);
const hear = find("hear", HTMLButtonElement);

/**
 * Show where the points of the face are, to be confirmed or moved.
 *
 * @param {Draft} draft
 * @param {AbortSignal} signal
 */
export async function openPoints(draft, signal) {
  const { face } = draft;
  if (!face) {
    return;
  }
  const upright = await desk.portraits.picture(draft.id, "photo");
  if (signal.aborted) {
    return;
  }
  await editor.open(upright, face);
  glasses.checked = face.glasses;
  const unsure = Object.values(face.confidence).some((share) => share < UNSURE);
  let [title, text] = ["Please place the points", "It is not certain where eyes and mouth are. "];
  if (face.sure) {
    title = "Is everything in its place?";
    text = "These are the points that were found. The avatar is made anew of what you correct.";
  } else if (unsure) {
    text += "Look at the points, and move those in orange to their places.";
  } else {
    text += "Look whether each point is in its place.";
  }
  find("points-title", HTMLElement).textContent = title;
  find("points-text", HTMLElement).textContent = text;
  find("where", HTMLElement).textContent = "";
  find("leave-points", HTMLElement).textContent = draft.built ? "Back" : "Another photo";
  show("points");
  editor.show("face");
}

/**
 * Show the avatar as it speaks; where there is no film, its picture.
 *
 * @param {Draft} draft
 * @param {AbortSignal} signal
 */
export async function openPreview(draft, signal) {
  const [still, moving] = await Promise.all([
    desk.portraits.picture(draft.id, "poster"),
    draft.film ? desk.portraits.picture(draft.id, "film") : null,
  ]);
  if (signal.aborted) {
    return;
  }
  poster.src = desk.addressOf(still);
  poster.alt = draft.name;
  if (moving) {
    film.src = desk.addressOf(moving);
    film.setAttribute("aria-label", `${draft.name}, an AI avatar, says a sentence`);
  } else {
    film.removeAttribute("src");
  }
  find("preview-title", HTMLElement).textContent = `Meet ${draft.name}`;
  find("preview-text", HTMLElement).textContent = moving
    ? "This is how the avatar moves and speaks. It is kept only when you save it."
    : "The voice of this server could not be heard just now, so here is a picture alone. It is kept only when you save it.";
  find("warnings", HTMLElement).replaceChildren(...draft.warnings.map((text) => make("li", {}, sentence(text))));
  find("save", HTMLElement).textContent = `Save ${draft.name}`;
  voice.value = draft.voice || (desk.offer.voices[0]?.name ?? "");
  hear.disabled = true;
  document.title = `${draft.name} · visavis`;
  show("preview");
  if (moving && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    // Browsers may want a click first: then the button is there.
    await film.play().catch(() => undefined);
  }
}

/** Make what can be done with the points and the film work, as far as the page alone is concerned. */
export function lookAround() {
  editor.onchange = (told) => (find("where", HTMLElement).textContent = told);
  find("reset-points", HTMLElement).addEventListener("click", () => {
    editor.reset();
    editor.show("face");
  });
  for (const type of ["play", "pause", "ended"]) {
    film.addEventListener(type, () => {
      play.hidden = !film.paused || film.hidden;
      find("play-text", HTMLElement).textContent = film.ended ? "Play again" : "Play";
    });
  }
  film.addEventListener("error", () => {
    // A browser that cannot play it shows the picture.
    if (film.getAttribute("src")) {
      film.removeAttribute("src");
      show(view());
    }
  });
  film.addEventListener("click", () => film.pause());
  play.addEventListener("click", () => void film.play());
  voice.addEventListener("change", () => (hear.disabled = voice.value === desk.draft?.voice));
}
