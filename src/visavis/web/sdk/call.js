import { Captions } from "./captions.js";
import { CallError } from "./errors.js";
import { Microphone } from "./microphone.js";
import { Peer } from "./peer.js";
import { Playback } from "./playback.js";
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
 * @typedef {"listening" | "hearing" | "thinking" | "speaking"} Activity
 *   what the avatar does; `hearing`: the visitor is speaking
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
 * stopped for two seconds, true: it moves again), `blocked` (the browser mutes the page until `unblock` is called from a click),
 * `microphonelost` (the device went away; the talk goes on), `tool` (`{name, args}`: the avatar used a tool), and at
 * last `ended` (`Ending`).
 */
export class Call extends EventTarget {
  #options;
  /** @type {CallState} */
  #state = "idle";
  /** @type {Activity} */
  #activity = "listening";
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Microphone | null} */
  #microphone = null;
  /** The newest, and before it those that it has not yet replaced. @type {Peer[]} */
  #peers = [];
  /** @type {Playback} */
  #playback;
  #captions = new Captions((caption) => this.#tell("caption", caption));
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  /** @type {wire.ServerMessage | null} */
  #farewell = null;
  #sessionId = "";
  #ready = false;
  /** Responses that have spoken, or used a tool, and have not ended. @type {Set<string>} */
  #active = new Set();
  #flowing = false;
  #pictured = false;
  #dropped = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Signalling is done in the order of its messages. */
  #signalling = Promise.resolve();
  /** @type {PromiseWithResolvers<string> | null} */
  #connecting = null;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#playback = new Playback(options.video, {
      onPicture: () => {
        this.#pictured = true;
        this.#checkConnected();
      },
      onMotion: (moving) => {
        if (this.#state === "connected") {
          this.#tell("media", moving);
        }
      },
      onBlocked: () => this.#tell("blocked", null),
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
    if (!this.#ready) {
      return;
    }
    this.#send(wire.userMessage(text));
    this.#send(wire.createResponse());
    this.#captions.userTyped(text);
    this.#become("thinking");
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

  /** Let the avatar be heard; to be called from a click, after `blocked`. */
  async unblock() {
    await this.#playback.unblock();
  }

  get #over() {
    return this.#state === "ended";
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
        this.#iceServers = Array.isArray(data.iceServers) ? data.iceServers : [];
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
        this.#signal(() => this.#accept(data.sdp));
        break;
      case "webrtc.signaling.iceCandidate":
        this.#signal(async () => this.#peers.at(-1)?.add(data.candidate));
        break;
      default:
        this.#follow(message);
    }
  }

  /** The conversation's own events. @param {wire.ServerMessage} message */
  #follow(message) {
    const { type, data } = message;
    const id = String(data.response_id ?? data.id ?? "");
    switch (type) {
      case "realtime.input_audio_buffer.speech_started":
        this.#captions.speechStarted();
        this.#become("hearing");
        break;
      case "realtime.input_audio_buffer.speech_stopped":
        this.#become("thinking");
        break;
      case "realtime.conversation.item.input_audio_transcription.completed": {
        const text = String(data.content ?? data.transcript ?? "").trim();
        this.#captions.userSaid(text);
        if (text === "" && this.#activity === "thinking") {
          this.#become("listening");
        }
        break;
      }
      case "realtime.response.audio_transcript.delta":
        this.#active.add(id);
        this.#captions.answerGrew(id, String(data.delta ?? data.content ?? ""));
        this.#become("speaking");
        break;
      case "realtime.response.audio_transcript.done":
        this.#captions.answerDone(id, String(data.transcript ?? data.content ?? ""));
        break;
      case "realtime.response.audio.done":
        // An answer that was cut short ends when the next one is already being thought of.
        if (this.#activity === "speaking" || (this.#activity === "thinking" && !this.#active.has(id))) {
          this.#become("listening");
        }
        this.#active.delete(id);
        break;
      case "realtime.response.function_call_arguments.done":
        this.#active.add(String(data.response_id ?? message.raw.response_id ?? ""));
        void this.#useTool(wire.toolCall(message));
        break;
      default:
      // Servers may say more than this client knows.
    }
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async #accept(offer) {
    const renewed = this.#peers.length > 0;
    /** @type {MediaStream | null} */
    let stream = null;
    const peer = new Peer(this.#iceServers, {
      send: (message) => this.#send(message),
      onStream: (arrived) => {
        stream = arrived;
        if (!renewed) {
          this.#playback.attach(arrived);
        }
      },
      onState: (state) => {
        if (peer !== this.#peers.at(-1)) {
          return;
        }
        if (state === "connected" && renewed && stream) {
          // Only now does it have something to show: until here the old picture stays.
          this.#playback.attach(stream);
          this.#closePeers(this.#peers.splice(0, this.#peers.length - 1));
        }
        this.#watch(state);
      },
    });
    this.#peers.push(peer);
    await peer.accept(offer);
  }

  /** @param {readonly Peer[]} peers */
  #closePeers(peers) {
    for (const peer of peers) {
      peer.close();
    }
  }

  /** @param {RTCPeerConnectionState} state */
  #watch(state) {
    if (this.#farewell) {
      return;
    }
    if (state === "connected") {
      this.#flowing = true;
      if (this.#state === "connected") {
        clearTimeout(this.#timer);
      }
      this.#checkConnected();
    } else if (state === "failed") {
      this.#fail(new CallError(this.#mediaError, "The media connection failed."));
    } else if (state === "disconnected" && this.#state === "connected") {
      this.#limit(MEDIA_TIMEOUT_MS, "connection-lost", "Picture and sound stopped.");
    }
  }

  get #mediaError() {
    return this.#state === "connected" ? "connection-lost" : "media-blocked";
  }

  #checkConnected() {
    if (this.#state === "connecting" && this.#flowing && this.#pictured && !this.#farewell) {
      clearTimeout(this.#timer);
      this.#enter("connected");
      this.#become("listening");
      this.#connecting?.resolve(this.#sessionId);
    }
  }

  /** @param {() => Promise<void>} step */
  #signal(step) {
    this.#signalling = this.#signalling.then(async () => {
      if (this.#over) {
        return;
      }
      try {
        await step();
      } catch (cause) {
        if (!this.#over) {
          this.#fail(new CallError(this.#mediaError, "The media connection could not be set up.", { cause }));
        }
      }
    });
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

  /** @param {{callId: string, name: string, args: unknown}} request */
  async #useTool({ callId, name, args }) {
    this.#become("thinking");
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
    this.#captions.end();
    this.#microphone?.close();
    this.#microphone = null;
    this.#closePeers(this.#peers.splice(0));
    this.#playback.close();
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close(1000);
    }
    this.#enter("ended");
    this.#connecting?.promise.catch(() => undefined);
    this.#connecting?.reject(error ?? new DOMException("The call was ended.", "AbortError"));
    this.#tell("ended", { reason, error });
  }

  /** @param {CallState} state */
  #enter(state) {
    this.#state = state;
    this.#tell("state", state);
  }

  /** @param {Activity} activity */
  #become(activity) {
    if (this.#activity !== activity || activity === "listening") {
      this.#activity = activity;
      this.#tell("activity", activity);
    }
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
