import { Dialogue } from "./dialogue.js";
import { CallError } from "./errors.js";
import { Media } from "./media.js";
import { Microphone } from "./microphone.js";
import { isFarewell, verdictOf } from "./refusals.js";
import { runTool } from "./tools.js";
import * as wire from "./wire.js";

/** How long the server may take for its first word, and then for picture and sound, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;
const MEDIA_TIMEOUT_MS = 15_000;
/** How long the close may take after the server's last word, in milliseconds. */
const FAREWELL_TIMEOUT_MS = 1500;
/** Sound waiting in the socket, in bytes, above which new pieces are dropped: a little more than a second. */
const MOST_BUFFERED = 96 * 1024;

/**
 * @typedef {"idle" | "microphone" | "searching" | "connecting" | "connected" | "ended"} CallState
 * @typedef {{reason: "hung-up" | "finished" | "failed", error: CallError | null}} Ending
 */

/**
 * @typedef {object} CallOptions
 * @property {URL} server  the server's base address
 * @property {string} license
 * @property {string} [avatarId]  wins over `name`
 * @property {string} [name]
 * @property {string} [model]
 * @property {HTMLVideoElement} video  where the avatar is seen and heard
 * @property {boolean} [microphone]  false: by text alone; `openMicrophone` may follow
 * @property {string} [deviceId]  the microphone to prefer
 * @property {readonly import("./tools.js").Tool[]} [tools]
 * @property {readonly string[]} [history]  what the user said in earlier calls, oldest first
 */

/**
 * One talk with an avatar, from `connect` to its end; a further talk is a further `Call`.
 *
 * Events (each a `CustomEvent`, with its `detail`): `state` (`CallState`), `activity` (`Activity`), `caption`
 * (`Caption`), `notice` (text for the visitor), `level` (microphone level, 0 … 1), `media` (false: the picture has
 * stopped for two seconds, true: it moves again), `blocked` (the browser mutes the page until `unblock` is called from
 * a click), `microphonelost` (the device went away; the talk goes on), `tool` (`{name, args}`: the avatar uses a tool),
 * and at last `ended` (`Ending`).
 */
export class Call extends EventTarget {
  #options;
  /** @type {CallState} */
  #state = "idle";
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Microphone | null} */
  #microphone = null;
  /** A microphone that is being opened. @type {Promise<void> | null} */
  #opening = null;
  #media;
  #dialogue = new Dialogue({
    onCaption: (caption) => this.#tell("caption", caption),
    onActivity: (activity) => this.#tell("activity", activity),
  });
  /** The server's last word. @type {wire.ServerMessage | null} */
  #farewell = null;
  #sessionId = "";
  #ready = false;
  #dropped = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {PromiseWithResolvers<string> | null} */
  #connecting = null;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#media = new Media(options.video, {
      send: (message) => this.#send(message),
      onFlowing: () => this.#flows(),
      onConnection: (state) => this.#watch(state),
      onMotion: (moving) => {
        if (this.#state === "connected") {
          this.#tell("media", moving);
        }
      },
      onBlocked: () => this.#tell("blocked", null),
      onError: (cause) => this.#failMedia("The media connection could not be set up.", cause),
    });
  }

  get state() {
    return this.#state;
  }

  get sessionId() {
    return this.#sessionId;
  }

  /** Pieces of 20 ms that were not sent, because the network was too slow for them. */
  get droppedPieces() {
    return this.#dropped;
  }

  /** Whether a microphone is open. */
  get hasMicrophone() {
    return this.#microphone !== null;
  }

  /** The id of the microphone in use, or "". */
  get microphoneId() {
    return this.#microphone?.deviceId ?? "";
  }

  get muted() {
    return this.#microphone?.muted ?? true;
  }

  set muted(muted) {
    if (this.#microphone) {
      this.#microphone.muted = muted;
    }
  }

  /**
   * @returns {Promise<string>}  the session's id, when the avatar is seen
   * @throws {CallError}
   */
  async connect() {
    if (this.#state !== "idle") {
      throw new Error("a Call connects once");
    }
    const connecting = withResolvers();
    this.#connecting = connecting;
    if (!globalThis.RTCPeerConnection) {
      this.#fail(new CallError("not-supported", "This browser has no WebRTC."));
    } else if (this.#options.microphone ?? true) {
      this.#enter("microphone");
      try {
        await this.openMicrophone(this.#options.deviceId);
      } catch (error) {
        this.#fail(asCallError(error));
      }
    }
    if (!this.#over) {
      this.#dial();
    }
    return connecting.promise;
  }

  /** End the call and free everything it holds. */
  hangUp() {
    this.#end("hung-up", null);
  }

  /** @param {string} text  typed by the visitor; ignored while there is no session */
  sendText(text) {
    if (this.#ready) {
      this.#send(wire.userMessage(text));
      this.#send(wire.createResponse());
      this.#dialogue.typed(text);
    }
  }

  /**
   * Open a microphone, or go over to another one; possible at any time.
   *
   * @param {string} [deviceId]
   * @throws {CallError}
   */
  async openMicrophone(deviceId) {
    if (this.#microphone) {
      await this.#microphone.change(deviceId);
      return;
    }
    this.#opening ??= this.#open(deviceId);
    try {
      await this.#opening;
    } finally {
      this.#opening = null;
    }
  }

  /** Let the avatar be heard; to be called from a click, after `blocked`. */
  async unblock() {
    await this.#media.unblock();
  }

  get #over() {
    return this.#state === "ended";
  }

  /** @param {string} [deviceId] */
  async #open(deviceId) {
    const microphone = await Microphone.open(
      {
        onPiece: (pcm) => this.#sendAudio(pcm),
        onLevel: (level) => this.#tell("level", level),
        onLost: () => void this.#replaceMicrophone(),
      },
      deviceId,
    );
    if (this.#over) {
      microphone.close();
      return;
    }
    this.#microphone = microphone;
    if (this.#ready) {
      microphone.start();
    }
  }

  #dial() {
    this.#enter("searching");
    const { server, license, avatarId, name, model, tools } = this.#options;
    const address = new URL("wss/v2/realtime-chat", server);
    address.protocol = server.protocol === "https:" ? "wss:" : "ws:";
    for (const [key, value] of Object.entries({ license, avatarId, name, model })) {
      if (value) {
        address.searchParams.set(key, value);
      }
    }
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#limit(ANSWER_TIMEOUT_MS, "server-gone", "The server does not answer.");
    socket.onopen = () => {
      if (tools?.length) {
        this.#send(wire.announceTools(tools));
      }
    };
    socket.onmessage = ({ data }) => {
      const message = wire.parseMessage(data);
      if (message) {
        this.#take(message);
      }
    };
    socket.onclose = (event) => this.#finish(event);
  }

  /** @param {wire.ServerMessage} message */
  #take(message) {
    const { type, data } = message;
    if (isFarewell(message)) {
      // The close that follows says more exactly why.
      this.#farewell ??= message;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#finish(null), FAREWELL_TIMEOUT_MS);
      return;
    }
    switch (type) {
      case "conversation.connected.success":
        this.#sessionId = String(data.sessionId ?? "");
        this.#media.iceServers = Array.isArray(data.iceServers) ? data.iceServers : [];
        this.#enter("connecting");
        this.#limit(MEDIA_TIMEOUT_MS, "media-blocked", "No picture and sound came through.");
        break;
      case "conversation.connected.warning":
        this.#tell("notice", message.text);
        break;
      case "realtime.session.created":
        for (const text of this.#options.history ?? []) {
          this.#send(wire.userMessage(text));
        }
        break;
      case "realtime.session.updated":
        this.#ready = true;
        this.#microphone?.start();
        break;
      case "webrtc.signaling.offer":
        this.#media.offer(data.sdp);
        break;
      case "webrtc.signaling.iceCandidate":
        this.#media.candidate(data.candidate);
        break;
      case "realtime.response.function_call_arguments.done":
        void this.#useTool(wire.toolCall(message));
        break;
      default:
        this.#dialogue.take(message);
    }
  }

  #flows() {
    if (this.#state === "connecting" && !this.#farewell) {
      clearTimeout(this.#timer);
      this.#enter("connected");
      this.#dialogue.begin();
      this.#connecting?.resolve(this.#sessionId);
    }
  }

  /** @param {"connected" | "disconnected" | "failed"} state  of the media connection */
  #watch(state) {
    if (this.#farewell) {
      return;
    }
    if (state === "failed") {
      this.#failMedia("The media connection failed.");
    } else if (this.#state === "connected" && state === "disconnected") {
      this.#limit(MEDIA_TIMEOUT_MS, "connection-lost", "Picture and sound stopped.");
    } else if (this.#state === "connected") {
      clearTimeout(this.#timer);
    }
  }

  /** @param {ArrayBuffer} pcm */
  #sendAudio(pcm) {
    if (this.#socket && this.#socket.bufferedAmount > MOST_BUFFERED) {
      this.#dropped += 1;
    } else {
      this.#send(wire.appendAudio(pcm));
    }
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(message));
    }
  }

  async #replaceMicrophone() {
    try {
      await this.#microphone?.change();
    } catch {
      // Told to the page, which says it to the visitor: typing goes on.
      this.#microphone?.close();
      this.#microphone = null;
      this.#tell("microphonelost", null);
    }
  }

  /** @param {wire.ToolCall} request */
  async #useTool({ callId, responseId, name, args }) {
    this.#dialogue.usesTool(responseId);
    this.#tell("tool", { name, args });
    const output = await runTool(this.#options.tools ?? [], name, args);
    this.#send(wire.toolResult(callId, output));
    this.#send(wire.createResponse());
  }

  /**
   * @param {number} milliseconds
   * @param {import("./errors.js").ErrorCode} code
   * @param {string} text
   */
  #limit(milliseconds, code, text) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(new CallError(code, text)), milliseconds);
  }

  /** The server has ended the call. @param {CloseEvent | null} close */
  #finish(close) {
    const { error } = verdictOf(this.#farewell, close, this.#state === "connected");
    this.#end(error ? "failed" : "finished", error);
  }

  /**
   * @param {string} text
   * @param {unknown} [cause]
   */
  #failMedia(text, cause) {
    const code = this.#state === "connected" ? "connection-lost" : "media-blocked";
    this.#fail(new CallError(code, text, { cause }));
  }

  /** @param {CallError} error */
  #fail(error) {
    this.#end("failed", error);
  }

  /**
   * @param {Ending["reason"]} reason
   * @param {CallError | null} error
   */
  #end(reason, error) {
    if (this.#over) {
      return;
    }
    clearTimeout(this.#timer);
    this.#ready = false;
    this.#dialogue.end();
    this.#microphone?.close();
    this.#microphone = null;
    this.#media.close();
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close(1000);
    }
    this.#enter("ended");
    // Who did not wait for the connection hears of its end by the event.
    this.#connecting?.promise.catch(() => undefined);
    this.#connecting?.reject(error ?? new DOMException("The call was ended.", "AbortError"));
    this.#tell("ended", { reason, error });
  }

  /** @param {CallState} state */
  #enter(state) {
    this.#state = state;
    this.#tell("state", state);
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** `Promise.withResolvers`, which browsers of before 2024 have not. @returns {PromiseWithResolvers<string>} */
function withResolvers() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return made;
}

/** @param {unknown} error */
function asCallError(error) {
  return error instanceof CallError
    ? error
    : new CallError("not-supported", "The microphone could not be opened.", { cause: error });
}
