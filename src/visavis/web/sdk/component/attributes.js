/** Where this module is, and with it the server that it came from. */
const HERE = new URL("../..", import.meta.url);

/** What decides which avatar is shown. */
export const IDENTITY = ["server", "license", "token", "token-provider", "avatar-id", "name", "poster", "chooser"];
/** What can change at any time without asking the server anew. */
export const OPTIONS = [
  "muted",
  "captions",
  "camera",
  "audio-only",
  "microphone",
  "lang",
  "background",
  "background-chooser",
  "transparent",
];

/** The attributes of the element, read. */
export class Attributes {
  #element;

  /** @param {import("../visavis-avatar.js").VisavisAvatar} element */
  constructor(element) {
    this.#element = element;
  }

  /** Where the avatars are; when the page does not say, where this module came from. */
  get server() {
    const given = this.#element.getAttribute("server");
    return given ? new URL(given, document.baseURI) : HERE;
  }

  get avatarId() {
    return this.#element.getAttribute("avatar-id") ?? "";
  }

  get name() {
    return this.#element.getAttribute("name") ?? "";
  }

  get poster() {
    const given = this.#element.getAttribute("poster");
    return given ? new URL(given, document.baseURI).href : "";
  }

  get chooser() {
    return this.#element.hasAttribute("chooser");
  }

  get autoConnect() {
    return this.#element.hasAttribute("auto-connect");
  }

  get audioOnly() {
    return this.#element.hasAttribute("audio-only");
  }

  get muted() {
    return this.#element.hasAttribute("muted");
  }

  /** Of the conversation. */
  get language() {
    return this.#element.lang;
  }

  get captions() {
    return this.#element.getAttribute("captions") !== "off";
  }

  /** Whether calls are spoken. */
  get microphone() {
    return this.#element.getAttribute("microphone") !== "off";
  }

  /** Whether a camera can be turned on, and whether it is from the start. */
  get camera() {
    const given = this.#element.getAttribute("camera");
    return { offered: given !== null, on: given === "on" };
  }

  get size() {
    return this.#element.getAttribute("size") ?? "";
  }

  /** What lies behind the avatar; "": the server's choice. */
  get background() {
    return this.#element.getAttribute("background") ?? "";
  }

  get backgroundChooser() {
    return this.#element.hasAttribute("background-chooser");
  }

  get transparent() {
    return this.#element.hasAttribute("transparent");
  }

  /** Who pays, as `Scene` takes it; empty when the page says nothing. */
  get payer() {
    const address = this.#element.getAttribute("token-provider");
    const tokenProvider = this.#element.tokenProvider ?? (address ? tokenFrom(address) : null);
    if (tokenProvider) {
      return { tokenProvider };
    }
    const token = this.#element.getAttribute("token");
    const license = this.#element.getAttribute("license");
    return token ? { token } : license ? { license } : {};
  }

  /** @returns {false | "tab" | "browser"} */
  get persistence() {
    const given = this.#element.getAttribute("persistence");
    return given === null || given === "off" ? false : given === "browser" ? "browser" : "tab";
  }

  /** @returns {string | undefined} */
  get model() {
    return this.#element.getAttribute("model") || undefined;
  }
}

/**
 * A function that asks the page's own server for a token: as `{"token": "…"}` or as plain text.
 *
 * @param {string} address  relative addresses are the page's
 */
function tokenFrom(address) {
  return async () => {
    const response = await fetch(new URL(address, document.baseURI), { method: "POST", cache: "no-store" });
    if (!response.ok) {
      throw new Error(`${address} answered with status ${response.status}`);
    }
    const text = (await response.text()).trim();
    if (!text.startsWith("{")) {
      return text;
    }
    const { token } = JSON.parse(text);
    if (typeof token !== "string") {
      throw new Error(`${address} answered without a token`);
    }
    return token;
  };
}
