import { box } from "./elements.js";

/** @typedef {import("../sdk/avatars.js").Avatar} Avatar */

/**
 * Show the avatars to choose from; nothing to choose when there is one.
 *
 * @param {readonly Avatar[]} avatars
 * @param {Avatar} chosen
 * @param {(avatar: Avatar) => void} onChoose
 */
export function showChooser(avatars, chosen, onChoose) {
  box("chooser").hidden = avatars.length < 2;
  box("faces").replaceChildren(
    ...avatars.map((avatar) => {
      const label = document.createElement("label");
      label.className = "face";
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = "avatar";
      radio.value = avatar.id;
      radio.checked = avatar.id === chosen.id;
      radio.addEventListener("change", () => onChoose(avatar));
      const picture = document.createElement("img");
      picture.src = avatar.thumbnail;
      picture.alt = "";
      const name = document.createElement("span");
      name.textContent = shortName(avatar.name);
      label.append(radio, picture, name);
      return label;
    }),
  );
}

/**
 * Names may carry a maker's prefix ("navtalk.Lauren"), which is no name to call a face by.
 *
 * @param {string} name
 */
export function shortName(name) {
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : name;
}
