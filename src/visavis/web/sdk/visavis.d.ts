/**
 * The client of a visavis server: one `Scene` is one place on a page where an avatar is talked with.
 *
 * Times are in milliseconds, volumes and levels from 0 to 1.
 */

/** The global that `visavis.umd.js` makes. */
export as namespace visavis;

/** Steps from nothing to a conversation. */
export type ConnectionStateName =
  | "Disconnected"
  | "SearchingForDigitalPerson"
  | "DownloadingAssets"
  | "ConnectingToDigitalPerson"
  | "Connected";

export const ConnectionStateTypes: { readonly [Name in ConnectionStateName]: Name };

export interface ConnectionStateData {
  readonly name: ConnectionStateName;
  /** 0 (Disconnected) … 4 (Connected) */
  readonly currentStep: number;
  readonly totalSteps: 5;
  /** 0, 25, 50, 75 or 100 */
  readonly percentageLoaded: number;
  /** The visitor's place while it waits for a free avatar; 1 is next. Only in SearchingForDigitalPerson. */
  readonly queuePosition?: number;
}

/** `name` of what `connect()` rejects with. */
export type ConnectionErrorName =
  | "noUserMedia"
  | "noScene"
  | "serverConnectionFailed"
  | "notSupported"
  | "mediaStreamFailed"
  | "sessionTimeout"
  | "controlFailed"
  | "noSessionToResume";

export const ConnectionErrorTypes: { readonly [Name in ConnectionErrorName]: Name };

export type DisconnectReason = "sessionTimeout" | "conversationEnded" | "controlDisconnected" | "normal";

export const DisconnectReasons: { readonly [Name in DisconnectReason]: Name };

/** The exact cause behind a name. Those of the first block come from the server, the others from this side. */
export type Code =
  | "invalid_license" | "bad_request" | "origin_not_allowed" | "shutting_down" | "no_credit"
  | "unknown_avatar" | "license_limit" | "no_slot" | "rate_limited"
  | "backend_error" | "control_failed" | "control_disconnected"
  | "media_failed" | "session_timeout" | "conversation_ended" | "normal" | "replaced" | "no_session_to_resume"
  | "permission_denied" | "no_device" | "device_busy" | "device_timeout"
  | "insecure_context" | "not_supported"
  | "token_failed" | "unreachable" | "no_answer" | "queue_timeout" | "media_timeout" | "connect_timeout"
  | "connection_lost" | "aborted";

/** Why a connection failed, or a device could not be had. `cause` is what the browser said, where it said something. */
export class VisavisError extends Error {
  /** `AbortError` where the app itself called `disconnect()` before the connection stood. */
  readonly name: ConnectionErrorName | "AbortError";
  readonly code: Code;
  readonly cause?: unknown;
}

/** Something to listen to. */
export interface SceneEvent<Arguments extends unknown[]> {
  addListener(listener: (...args: Arguments) => void): void;
  removeListener(listener: (...args: Arguments) => void): void;
}

export interface MediaDevices {
  microphone?: boolean;
  camera?: boolean;
}

/** How long is waited for each thing; 0: without a limit. */
export interface Timeouts {
  /** For the visitor to allow the devices (120 000): then `noUserMedia`, or on without them. */
  devices?: number;
  /** For `tokenProvider` (10 000): then `serverConnectionFailed`. */
  token?: number;
  /** For the server's first word (10 000): then `serverConnectionFailed`. */
  answer?: number;
  /** In the queue for a free avatar (300 000): then `noScene`. */
  queue?: number;
  /** For the avatar to be prepared (60 000): then `serverConnectionFailed`. */
  preparing?: number;
  /** For picture and sound (20 000): then `mediaStreamFailed`. */
  media?: number;
  /** For the whole of `connect()`, with all retries (600 000): then `sessionTimeout`. */
  connect?: number;
  /** For a lost connection to come back in the middle of a session (30 000): then the session is over. */
  reconnect?: number;
}

/** Something that the avatar may ask the page to do. */
export interface Tool {
  /** Letters, digits, `_` and `-`. */
  name: string;
  /** For the language model: what the tool does, and when it is to be used. */
  description: string;
  /** JSON Schema of the arguments, an object. */
  parameters?: object;
  /** What it returns goes back to the model, as text or as JSON; what it throws, as an error. At most 20 s. */
  run(args: any): unknown;
}

export type Variable = string | number | boolean | null;

/** What one side said, in the order of the conversation. */
export interface HistoryItem {
  role: "user" | "assistant";
  content: string;
}

/** What the server sends of the avatar. */
export interface Picture {
  /** Pixels, as it is to be seen. */
  readonly width: number;
  readonly height: number;
  /** The page shines through. */
  readonly transparent: boolean;
  /** Whether what lies behind the avatar can be chosen. */
  readonly backgrounds: boolean;
}

export type Emotion = "neutral" | "happy" | "sad" | "surprised" | "concerned" | "stern" | "amused";

export interface SceneOptions {
  /** Where the avatar is seen and heard. May be left out with `audioOnly`, and with `transparent`. */
  videoElement?: HTMLVideoElement | null;
  /** Where a transparent avatar is seen. */
  canvasElement?: HTMLCanvasElement | null;
  /** Show the avatar cut out, in `canvasElement`, with the page behind it. */
  transparent?: boolean;
  /** Width and height of the picture, such as `"720x720"`; one of those that the server paints. */
  size?: string;
  /** What lies behind the avatar: `"own"`, `"blur"`, a colour (`"#2f6f6f"`), or the name of a picture of the server's. */
  background?: string;
  /** The server's base address, such as `https://avatars.example/`. */
  server: string | URL;
  /** One of the three says who pays: a license key (never in a public page), … */
  license?: string;
  /** … a client token that your own server asked for, … */
  token?: string;
  /** … or a function that gets one, called at each connect and reconnect. */
  tokenProvider?: () => string | Promise<string>;
  /** The avatar; goes before `name`. */
  avatarId?: string;
  name?: string;
  /** A model's name, where the server lets clients choose one. */
  model?: string;
  /** Asked for within `connect()`; `{microphone: true, camera: false}`. */
  requestedMediaDevices?: MediaDevices;
  /** Without these `connect()` fails with `noUserMedia`; none by default: the visitor can type. */
  requiredMediaDevices?: MediaDevices;
  /** Ask for no picture: the avatar is only heard. */
  audioOnly?: boolean;
  /**
   * Come back to the same session after the page is left: in this browser tab, or in any tab of this browser, as long
   * as the server keeps it. Default false.
   */
  sessionPersistence?: false | "tab" | "browser";
  tools?: readonly Tool[];
  /** Stand in for `{{name}}` in the avatar's prompt and greeting. */
  variables?: Readonly<Record<string, Variable>>;
  /** What was said before, for a new session to build on, oldest first; a plain string was said by the user. */
  history?: readonly (HistoryItem | string)[];
  timeouts?: Timeouts;
  /** The devices to prefer. */
  microphoneId?: string;
  cameraId?: string;
  /** Show the avatar's still picture in the video element until it moves, where that has no poster of its own (true). */
  poster?: boolean;
}

export interface ConnectOptions {
  /** After `noScene`: how often to try again (0), and the pause between two tries (2000). Each try queues anew. */
  retryOptions?: { maxRetries?: number; delayMs?: number };
}

/** Several come for the same `id`; a `final` one without text: nothing was understood, or heard. */
export interface Caption {
  readonly id: string;
  readonly side: "user" | "avatar";
  readonly text: string;
  readonly state: "pending" | "partial" | "final";
}

/** `listening`: the visitor speaks. */
export type Activity = "idle" | "listening" | "thinking" | "speaking";

export interface Expiring {
  readonly reason: DisconnectReason;
  /** Until the session is ended. */
  readonly seconds: number;
  /** Unless the visitor does something, or `keepAlive()` is called; false: in any case. */
  readonly preventable: boolean;
  /** For the visitor. */
  readonly message: string;
}

/** More about a disconnection than its reason. `name` is the error that it would have been before the connection. */
export interface DisconnectDetails {
  readonly code: Code;
  readonly name: ConnectionErrorName | "AbortError";
  readonly message: string;
}

/** A scene's present session, for code that thinks in sessions. */
export interface Session {
  readonly sessionId: string;
  connect(options?: ConnectOptions): Promise<string>;
  disconnect(): void;
}

export class Scene {
  /** Throws a `TypeError` for options that cannot work. */
  constructor(options: SceneOptions);

  /** Resolves to the session's id when the avatar is seen (or heard, with `audioOnly`); rejects with `VisavisError`. */
  connect(options?: ConnectOptions): Promise<string>;
  /** End the session and free all it holds: devices, sockets, timers. */
  disconnect(): void;
  isConnected(): boolean;
  /** The visitor is still there, whatever it looks like: the idle time begins anew. */
  keepAlive(): void;
  session(): Session;
  /** "" before there is one; stays after its end. */
  readonly sessionId: string;

  readonly connectionState: {
    readonly onConnectionStateUpdated: SceneEvent<[ConnectionStateData]>;
    getConnectionState(): ConnectionStateData;
  };
  /** A session that stood is over. `reason` is `normal` for all that the other three do not say; see `details.code`. */
  readonly onDisconnectedEvent: SceneEvent<
    [scene: Scene, sessionId: string, reason: DisconnectReason, details: DisconnectDetails]
  >;

  readonly onCaption: SceneEvent<[Caption]>;
  readonly onActivity: SceneEvent<[Activity]>;
  readonly onExpiring: SceneEvent<[Expiring]>;
  /** Picture and sound stopped for a while (false), or flow again. */
  readonly onMedia: SceneEvent<[{ readonly flowing: boolean }]>;
  /** The browser plays no sound until `unblockAudio()` is called from a click. */
  readonly onAudioBlocked: SceneEvent<[]>;
  /** Root mean square of 20 ms; 0 while it is off. */
  readonly onMicrophoneLevel: SceneEvent<[number]>;
  /** The microphone could not be had, or went away with no other to take its place; the session goes on without. */
  readonly onMicrophoneLost: SceneEvent<[VisavisError]>;
  /** Something the visitor should read. */
  readonly onNotice: SceneEvent<[string]>;
  /** The avatar uses a tool. */
  readonly onTool: SceneEvent<[{ readonly name: string; readonly args: unknown }]>;
  /** An earlier session goes on, here: what was shown of the conversation is to be replaced by `history`. */
  readonly onResumed: SceneEvent<
    [{ readonly history: readonly HistoryItem[]; readonly variables: Readonly<Record<string, Variable>> }]
  >;

  /** As if it had been said. False when there is no session. */
  sendText(text: string): boolean;
  /** The avatar is silent at once. False when there is no session. */
  interrupt(): boolean;
  setVariables(values: Readonly<Record<string, Variable>>): void;
  /**
   * At any time. As the option, or a picture: a JPEG, PNG or WebP file of at most 2 MB and 4 megapixels, or such a one as
   * a data URL. Rejects with a `TypeError` for what is none.
   */
  setBackground(background: string | Blob): Promise<void>;
  /**
   * What the avatar's face shows to feel now, for some seconds and as long as it speaks; `intensity` from 0 to 1 (1).
   * False when there is no session. Throws a `TypeError` for anything else.
   */
  setEmotion(emotion: Emotion, intensity?: number): boolean;
  /** What the server sends; null when there is no session, or it does not say. */
  readonly picture: Picture | null;
  /** At any time; one of the same name is replaced. */
  addTool(tool: Tool): void;
  removeTool(name: string): void;
  /** Of both sides, oldest first. */
  readonly history: readonly HistoryItem[];
  readonly activity: Activity;

  /** At any time; rejects with `VisavisError` when the device cannot be had. */
  setMicrophone(on: boolean): Promise<void>;
  /** At any time. Resolves to whether the avatar looks at it: not every one can. */
  setCamera(on: boolean): Promise<boolean>;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  /** What the camera sees, for the visitor's own picture. */
  readonly cameraStream: MediaStream | null;
  chooseMicrophone(deviceId: string): Promise<void>;
  chooseCamera(deviceId: string): Promise<void>;
  /** Rejects with `notSupported` where the browser leaves that to the system. */
  chooseSpeaker(deviceId: string): Promise<void>;
  /** Ids of the devices in use or chosen; "": the browser's choice. */
  readonly microphoneId: string;
  readonly cameraId: string;

  /** The avatar's voice. */
  volume: number;
  muted: boolean;
  /** To be called from a click, after `onAudioBlocked`. */
  unblockAudio(): Promise<void>;
  /** Pieces of 20 ms of the microphone that were left out, because the network was too slow for them. */
  readonly droppedPieces: number;
}

export interface Avatar {
  readonly id: string;
  readonly name: string;
  /** Address of a still picture. */
  readonly picture: string;
  /** Address of a small one. */
  readonly thumbnail: string;
}

/** The avatars that a license (or client token) may talk to. Rejects with `VisavisError`. */
export function listAvatars(server: string | URL, license: string): Promise<readonly Avatar[]>;
