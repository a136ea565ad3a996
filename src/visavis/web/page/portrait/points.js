import { draw, make } from "./dom.js";

/** @typedef {import("./api.js").FoundFace} FoundFace */
/** @typedef {{x: number, y: number, side: number}} Region  a square of the photo, in its pixels */

/** What people call the points; "left" is what they see on the left. The names are the person's own sides. */
export const LABELS = {
  right_eye_outer: "Left eye, outer corner",
  right_eye_top: "Left eye, upper lid",
  right_eye_inner: "Left eye, inner corner",
  right_eye_bottom: "Left eye, lower lid",
  left_eye_inner: "Right eye, inner corner",
  left_eye_top: "Right eye, upper lid",
  left_eye_outer: "Right eye, outer corner",
  left_eye_bottom: "Right eye, lower lid",
  mouth_right: "Mouth, left corner",
  upper_lip_top: "Upper lip, upper edge",
  upper_lip_bottom: "Upper lip, lower edge",
  mouth_left: "Mouth, right corner",
  lower_lip_top: "Lower lip, upper edge",
  lower_lip_bottom: "Lower lip, lower edge",
  chin: "Tip of the chin",
};

/** What can be looked at: the names that it shows begin so, and how much is seen around them. */
const PARTS = {
  photo: { label: "Photo", begins: [""], room: 0, least: 1 },
  face: { label: "Face", begins: [""], room: 1.75, least: 0 },
  left: { label: "Left eye", begins: ["right_eye"], room: 2.2, least: 0 },
  right: { label: "Right eye", begins: ["left_eye"], room: 2.2, least: 0 },
  mouth: { label: "Mouth", begins: ["mouth", "upper_lip", "lower_lip"], room: 1.7, least: 0 },
};

/** Points less sure than this are shown as such. */
const UNSURE = 0.5;
/** How far from a point, in CSS pixels, a finger may come down to take it. */
const REACH = 44;
/** An arrow key moves a point by this share of what is seen, with Shift by eight times as much. */
const STEP = 1 / 400;
const LOUPE = 148;
/** What share of what is seen the loupe shows. */
const CLOSE = 1 / 9;

/** The photo with its points, to be moved by hand. `onchange` is called after each move with a sentence on it. */
export class PointEditor {
  /** @type {(sentence: string) => void} */
  onchange = () => {};
  #place;
  #parts;
  #view = make("canvas", { class: "view", "aria-hidden": "true" });
  #lines = draw("path", {});
  #loupe = make("canvas", { class: "loupe", "aria-hidden": "true" });
  /** @type {Map<string, HTMLButtonElement>} */
  #handles = new Map();
  /** @type {ImageBitmap | null} */
  #photo = null;
  /** @type {FoundFace | null} */
  #face = null;
  /** @type {Record<string, [number, number]>} */
  #points = {};
  /** @type {Set<string>} */
  #moved = new Set();
  /** @type {keyof typeof PARTS} */
  #part = "face";
  /** @type {Region} */
  #region = { x: 0, y: 0, side: 1 };
  /** @type {{name: string, dx: number, dy: number} | null} */
  #held = null;
  #resize = new ResizeObserver(() => this.#paint());

  /**
   * @param {HTMLElement} place
   * @param {HTMLElement} parts  where the buttons go that choose what is seen
   */
  constructor(place, parts) {
    this.#place = place;
    this.#parts = parts;
    const lines = draw("svg", { class: "lines", viewBox: "0 0 100 100", "aria-hidden": "true" }, this.#lines);
    place.append(this.#view, lines);
    for (const [name, label] of Object.entries(LABELS)) {
      const handle = make("button", { type: "button", class: "point", "data-point": name, "aria-label": label });
      handle.addEventListener("keydown", (event) => this.#press(name, event));
      handle.addEventListener("focus", () => this.#look(name));
      handle.addEventListener("blur", () => (this.#loupe.hidden = true));
      this.#handles.set(name, handle);
      place.append(handle);
    }
    this.#loupe.hidden = true;
    place.append(this.#loupe);
    for (const [part, { label }] of Object.entries(PARTS)) {
      const button = make("button", { type: "button", class: "pill", "data-part": part }, label);
      button.addEventListener("click", () => this.show(/** @type {keyof typeof PARTS} */ (part)));
      parts.append(button);
    }
    place.addEventListener("pointerdown", (event) => this.#take(event));
    place.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      place.addEventListener(end, () => this.#drop());
    }
  }

  /** All points as they are now, pixels of the photo. */
  get points() {
    return { ...this.#points };
  }

  /** Whether any was moved since the photo was opened, or since `reset`. */
  get changed() {
    return this.#moved.size > 0;
  }

  /**
   * @param {Blob} photo
   * @param {FoundFace} face
   */
  async open(photo, face) {
    this.close();
    this.#photo = await createImageBitmap(photo);
    this.#face = face;
    this.#resize.observe(this.#place);
    this.reset();
    this.show("face");
  }

  close() {
    this.#resize.disconnect();
    this.#photo?.close();
    this.#photo = null;
  }

  /** Put the points back to where they were found. */
  reset() {
    this.#points = {};
    for (const [name, [x, y]] of Object.entries(this.#face?.points ?? {})) {
      this.#points[name] = [x, y];
    }
    this.#moved.clear();
    for (const [name, handle] of this.#handles) {
      const unsure = (this.#face?.confidence[name] ?? 1) < UNSURE;
      handle.classList.toggle("unsure", unsure);
      handle.setAttribute("aria-label", LABELS[/** @type {keyof typeof LABELS} */ (name)] + (unsure ? ", uncertain" : ""));
    }
    this.#arrange();
  }

  /** @param {keyof typeof PARTS} part */
  show(part) {
    this.#part = part;
    this.#region = this.#seen(part);
    for (const button of this.#parts.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.part === part));
    }
    this.#paint();
  }

  /**
   * @param {keyof typeof PARTS} part
   * @returns {Region}
   */
  #seen(part) {
    const { width, height } = this.#face ?? { width: 1, height: 1 };
    const { room, least } = PARTS[part];
    const names = this.#names(part);
    const xs = names.map((name) => this.#points[name][0]);
    const ys = names.map((name) => this.#points[name][1]);
    if (least || !names.length) {
      const side = Math.max(width, height);
      return { x: (width - side) / 2, y: (height - side) / 2, side };
    }
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const side = Math.max((right - left) * room, (bottom - top) * room, 16);
    return { x: (left + right - side) / 2, y: (top + bottom - side) / 2, side };
  }

  /** @param {keyof typeof PARTS} part */
  #names(part) {
    return Object.keys(this.#points).filter((name) => PARTS[part].begins.some((begin) => name.startsWith(begin)));
  }

  #paint() {
    const side = Math.round(this.#place.clientWidth * devicePixelRatio);
    if (!this.#photo || !this.#face || !side) {
      return;
    }
    this.#view.width = this.#view.height = side;
    this.#copy(this.#view, this.#region);
    this.#arrange();
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Region} region
   */
  #copy(canvas, region) {
    const context = canvas.getContext("2d");
    if (!context || !this.#photo || !this.#face) {
      return;
    }
    const scale = canvas.width / region.side;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(
      this.#photo,
      -region.x * scale,
      -region.y * scale,
      this.#face.width * scale,
      this.#face.height * scale,
    );
  }

  /** Put the handles and the lines where the points are. */
  #arrange() {
    const shown = new Set(this.#names(this.#part));
    for (const [name, handle] of this.#handles) {
      handle.hidden = !shown.has(name);
      if (shown.has(name)) {
        const [x, y] = this.#percent(name);
        handle.style.left = `${x}%`;
        handle.style.top = `${y}%`;
      }
    }
    this.#lines.setAttribute("d", this.#outline());
  }

  /**
   * @param {string} name
   * @returns {[number, number]}
   */
  #percent(name) {
    const [x, y] = this.#points[name];
    const { x: left, y: top, side } = this.#region;
    return [((x - left) / side) * 100, ((y - top) / side) * 100];
  }

  /** The lids and the lips as curves through their points. */
  #outline() {
    const has = (/** @type {string[]} */ ...names) => names.every((name) => name in this.#points);
    const arcs = [
      ["right_eye_outer", "right_eye_top", "right_eye_inner"],
      ["right_eye_outer", "right_eye_bottom", "right_eye_inner"],
      ["left_eye_inner", "left_eye_top", "left_eye_outer"],
      ["left_eye_inner", "left_eye_bottom", "left_eye_outer"],
      ["mouth_right", "upper_lip_top", "mouth_left"],
      ["mouth_right", "upper_lip_bottom", "mouth_left"],
      ["mouth_right", "lower_lip_top", "mouth_left"],
      ["mouth_right", "lower_lip_bottom", "mouth_left"],
    ];
    return arcs
      .filter((names) => has(...names))
      .map((names) => {
        const [from, over, to] = names.map((name) => this.#percent(name));
        // The control point of the parabola that passes the middle point half-way.
        const control = [0, 1].map((axis) => 2 * over[axis] - (from[axis] + to[axis]) / 2);
        return `M${from.join(" ")}Q${control.join(" ")} ${to.join(" ")}`;
      })
      .join("");
  }

  /** @param {PointerEvent} event */
  #take(event) {
    if (event.button !== 0 || !this.#photo) {
      return;
    }
    const box = this.#place.getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    let nearest = REACH;
    let found = "";
    let off = [0, 0];
    for (const name of this.#names(this.#part)) {
      const [x, y] = this.#percent(name);
      const away = [(x / 100) * box.width - at[0], (y / 100) * box.height - at[1]];
      const distance = Math.hypot(...away);
      if (distance < nearest) {
        [nearest, found, off] = [distance, name, away];
      }
    }
    if (!found) {
      return;
    }
    event.preventDefault();
    this.#place.setPointerCapture(event.pointerId);
    this.#held = { name: found, dx: off[0], dy: off[1] };
    this.#handles.get(found)?.focus({ preventScroll: true });
    this.#place.dataset.held = found;
    this.#look(found);
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    if (!this.#held) {
      return;
    }
    const { name, dx, dy } = this.#held;
    const box = this.#place.getBoundingClientRect();
    const scale = this.#region.side / box.width;
    const x = this.#region.x + (event.clientX - box.left + dx) * scale;
    const y = this.#region.y + (event.clientY - box.top + dy) * scale;
    this.#move(name, x, y);
  }

  #drop() {
    if (this.#held) {
      this.#held = null;
      delete this.#place.dataset.held;
    }
  }

  /**
   * @param {string} name
   * @param {KeyboardEvent} event
   */
  #press(name, event) {
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = directions[/** @type {keyof typeof directions} */ (event.key)];
    if (!direction) {
      return;
    }
    event.preventDefault();
    const step = this.#region.side * STEP * (event.shiftKey ? 8 : 1);
    const [x, y] = this.#points[name];
    this.#move(name, x + direction[0] * step, y + direction[1] * step);
  }

  /**
   * @param {string} name
   * @param {number} x
   * @param {number} y
   */
  #move(name, x, y) {
    const { width, height } = this.#face ?? { width: 0, height: 0 };
    const inside = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    this.#points[name] = [inside(x, width), inside(y, height)];
    this.#moved.add(name);
    this.#handles.get(name)?.classList.remove("unsure");
    this.#arrange();
    this.#look(name);
    const [px, py] = this.#points[name];
    this.onchange(`${LABELS[/** @type {keyof typeof LABELS} */ (name)]}: ${Math.round(px)}, ${Math.round(py)}`);
  }

  /**
   * Show the surroundings of a point, larger.
   *
   * @param {string} name
   */
  #look(name) {
    const loupe = this.#loupe;
    loupe.hidden = false;
    loupe.width = loupe.height = Math.round(LOUPE * devicePixelRatio);
    const [x, y] = this.#points[name];
    const side = Math.max(this.#region.side * CLOSE, 12);
    this.#copy(loupe, { x: x - side / 2, y: y - side / 2, side });
    const context = loupe.getContext("2d");
    if (context) {
      const middle = loupe.width / 2;
      const gap = 7 * devicePixelRatio;
      for (const [colour, line] of /** @type {const} */ ([["rgb(0 0 0 / 55%)", 4], ["#fff", 1.5]])) {
        context.strokeStyle = colour;
        context.lineWidth = line * devicePixelRatio;
        context.beginPath();
        for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
          context.moveTo(middle + dx * gap, middle + dy * gap);
          context.lineTo(middle + dx * gap * 3.2, middle + dy * gap * 3.2);
        }
        context.stroke();
      }
    }
    // In the corner that is farthest from the hand.
    const [left, top] = this.#percent(name);
    loupe.dataset.corner = `${top < 50 ? "bottom" : "top"} ${left < 50 ? "right" : "left"}`;
  }
}
