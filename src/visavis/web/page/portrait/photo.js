import { desk } from "./desk.js";
import { find } from "./dom.js";
import { complain } from "./notices.js";
import { camera, photo, show, view } from "./stage.js";

const KINDS = ["image/jpeg", "image/png", "image/webp"];
const file = find("file", HTMLInputElement);
const picture = find("picture", HTMLElement);

/**
 * Take a photo, if it is one that the server may take.
 *
 * @param {File | null | undefined} given
 */
export function choose(given) {
  if (!given) {
    return;
  }
  desk.begin();
  if (!KINDS.includes(given.type)) {
    complain("not_an_image", "Choose a photo in JPEG, PNG or WebP. Phones can save such a copy of any photo.");
    return;
  }
  if (given.size > desk.offer.maxBytes) {
    complain("too_large", `It may have ${Math.floor(desk.offer.maxBytes / 2 ** 20)} MB at most. Save it smaller.`);
    return;
  }
  desk.chosen = given;
  photo.src = desk.addressOf(given);
  show("photo");
}

/** Make the ways to a photo work: the file dialogue, dropping one, the camera. */
export function takePhotos() {
  file.addEventListener("change", () => {
    choose(file.files?.[0]);
    // The same file may be chosen again.
    file.value = "";
  });
  photo.addEventListener("error", () => {
    if (desk.chosen) {
      desk.chosen = null;
      photo.removeAttribute("src");
      show("photo");
      complain("not_an_image", "The file is damaged, or no photo. Choose another one.");
    }
  });
  for (const type of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
    addEventListener(type, (event) => drag(type, event));
  }
  find("open-camera", HTMLElement).addEventListener("click", openCamera);
  find("shoot", HTMLElement).addEventListener("click", async () => {
    choose(await camera.shoot());
    find("choose-other", HTMLElement).focus();
  });
  find("close-camera", HTMLElement).addEventListener("click", () => {
    show("photo");
    find("open-camera", HTMLElement).focus();
  });
}

/**
 * @param {"dragover" | "dragleave" | "drop"} type
 * @param {DragEvent} event
 */
function drag(type, event) {
  const taking = view() === "photo" && Boolean(event.dataTransfer?.types.includes("Files"));
  picture.toggleAttribute("data-over", taking && type === "dragover");
  if (taking) {
    // Else the browser would show the file in the place of the page.
    event.preventDefault();
  }
  if (taking && type === "drop") {
    choose(event.dataTransfer?.files[0]);
  }
}

async function openCamera() {
  desk.begin();
  try {
    await camera.open();
    show("camera");
    find("shoot", HTMLElement).focus();
  } catch {
    camera.close();
    complain("camera", "Allow this page to use it, or choose a photo instead.");
  }
}
