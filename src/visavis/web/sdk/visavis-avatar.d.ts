/** `<visavis-avatar>`: an avatar in any page, by one tag. */

import type {
  Activity,
  Avatar,
  Caption,
  Code,
  ConnectOptions,
  ConnectionStateData,
  DisconnectDetails,
  DisconnectReason,
  Expiring,
  HistoryItem,
  Scene,
  Timeouts,
  Tool,
  Variable,
  VisavisError,
} from "./visavis.js";

export type ViewName = "welcome" | "connecting" | "call" | "message";

/** What a visitor is told of an error or of an ending; `{name}` stands for the avatar's name. */
export interface Explanation {
  /** What happened. */
  title: string;
  /** What the visitor can do. */
  text: string;
  /** Trying again may help. */
  retry?: boolean;
  /** The call is possible without a microphone. */
  byText?: boolean;
  /** Show the error's own message, too. */
  detail?: boolean;
  /** Nothing is wrong: the call has ended as it should. */
  calm?: boolean;
}

/** The component's own explanation of a cause. */
export function explain(code: Code): Explanation;

/** `detail` of each event, by its name. */
export interface VisavisAvatarEvents {
  "visavis-view": ViewName;
  "visavis-chosen": Avatar & { readonly shortName: string };
  "visavis-state": ConnectionStateData;
  "visavis-connected": { readonly sessionId: string };
  "visavis-disconnected": {
    readonly sessionId: string;
    readonly reason: DisconnectReason;
    readonly details: DisconnectDetails;
  };
  "visavis-error": VisavisError;
  "visavis-caption": Caption;
  "visavis-activity": Activity;
  "visavis-tool": { readonly name: string; readonly args: unknown };
  "visavis-expiring": Expiring;
  "visavis-resumed": {
    readonly history: readonly HistoryItem[];
    readonly variables: Readonly<Record<string, Variable>>;
  };
  "visavis-notice": string;
}

export class VisavisAvatar extends HTMLElement {
  /** Gets a client token; goes before the attributes. */
  tokenProvider: (() => string | Promise<string>) | null;
  /** These four are for the next call. */
  tools: readonly Tool[];
  variables: Readonly<Record<string, Variable>>;
  /** What was said before the first call. */
  history: readonly (HistoryItem | string)[];
  timeouts: Timeouts;
  /** In place of the component's own, by the error's code. */
  explanations: Readonly<Partial<Record<Code, Explanation>>>;
  /** All other texts. Setting some replaces those; throws while there is a call. */
  words: Readonly<Record<string, string>>;
  /** The present call's scene, for all that the element does not offer itself. */
  readonly scene: Scene | null;
  readonly view: ViewName;
  /** The avatar that is shown, as far as the server was asked for it. */
  readonly avatar: Avatar | null;

  /** Begin a call; the same promise while one is under way or stands. Rejects as `Scene.connect` does. */
  connect(options?: ConnectOptions & { microphone?: boolean }): Promise<string>;
  disconnect(): void;
  /** False when there is no call. */
  sendText(text: string): boolean;
  interrupt(): boolean;
  keepAlive(): void;
  openSettings(): Promise<void>;
  /** Ask the server anew who is there. */
  refresh(): Promise<void>;

  addEventListener<Name extends keyof VisavisAvatarEvents>(
    type: Name,
    listener: (event: CustomEvent<VisavisAvatarEvents[Name]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "visavis-avatar": VisavisAvatar;
  }
}
