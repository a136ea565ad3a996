/** The room, and the face in it. */
export const STAGE = `
.frame {
  container: visavis / inline-size;
  height: 100%;
}

.room {
  display: grid;
  grid-template: auto minmax(0, var(--visavis-panel-height, 296px)) / minmax(0, 1fr);
  overflow: clip;
  border: 1px solid var(--edge);
  border-radius: var(--radius);
  background: var(--paper);
  box-shadow: var(--shadow);
}

.stage {
  position: relative;
  display: grid;
  place-items: center;
  min-width: 0;
  min-height: 0;
}

.portrait {
  position: relative;
  isolation: isolate;
  overflow: hidden;
  width: 100%;
  height: 100%;
  aspect-ratio: var(--visavis-aspect-ratio, 1);
  background: linear-gradient(160deg, #46566a, #242d39);
}

/* A soft light of the picture's own colours behind it. */
.ambient {
  display: none;
  position: absolute;
  inset: 0;
  z-index: -1;
  width: 100%;
  height: 100%;
  object-fit: cover;
  filter: blur(60px) saturate(1.3);
  opacity: var(--ambient);
  pointer-events: none;
}

.nobody,
.poster,
.live,
::slotted([slot="poster"]) {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: cover;
  object-position: 50% 35%;
}

.portrait svg.nobody {
  fill: rgb(255 255 255 / 13%);
}

.poster {
  animation: appear 0.6s var(--ease);
}

.live {
  opacity: 0;
  transition: opacity 0.7s var(--ease);
}

[data-phase="live"] .live {
  opacity: 1;
}

[data-audio-only] .live,
.room:not([data-transparent]) canvas.live,
[data-transparent] video.live {
  visibility: hidden;
}

/* The page is behind the avatar: of the card only the panel is left. */
.room[data-transparent] {
  gap: 14px;
  overflow: visible;
  border-color: transparent;
  background: none;
  box-shadow: none;
}

[data-transparent] .portrait {
  background: none;
}

[data-transparent] .portrait:not([data-phase="live"]) {
  border-radius: var(--radius);
}

[data-transparent] .poster {
  transition: opacity 0.7s var(--ease);
}

[data-transparent] [data-phase="live"] .poster,
[data-transparent] [data-phase="live"] .nobody,
[data-transparent] [data-phase="live"] ::slotted([slot="poster"]) {
  opacity: 0;
}

[data-transparent] .ambient {
  visibility: hidden;
}

[data-transparent] .panel {
  border-radius: var(--radius);
  background: var(--paper);
}

/* While calling: a slow breath of light round the picture. */
[data-phase]::after {
  content: "";
  position: absolute;
  inset: 0;
  z-index: 1;
  border-radius: inherit;
  pointer-events: none;
  box-shadow: inset 0 0 0 3px rgb(122 211 203 / 85%);
  opacity: 0;
  transition: opacity 0.4s;
}

[data-phase="calling"]::after {
  animation: breathe 2.4s ease-in-out infinite;
}

[data-phase="live"][data-activity="listening"]::after {
  opacity: 1;
}

[data-phase="live"][data-activity="thinking"]::after {
  animation: breathe 1.8s ease-in-out infinite;
}

.badge,
.activity,
.trouble,
.unblock {
  position: absolute;
  z-index: 2;
  border-radius: 999px;
  background: rgb(14 17 21 / 76%);
  color: #fff;
  font-size: 13.5px;
  font-weight: 500;
  line-height: 1;
  backdrop-filter: blur(12px);
}

.badge {
  top: 14px;
  left: 14px;
  padding: 9px 13px;
}

.activity {
  top: 14px;
  right: 14px;
  display: flex;
  align-items: center;
  gap: 8px;
  padding: 9px 13px 9px 11px;
}

.trouble {
  top: 58px;
  left: 50%;
  width: max-content;
  max-width: calc(100% - 28px);
  padding: 11px 16px;
  border-radius: 20px;
  line-height: 1.3;
  text-align: center;
  transform: translateX(-50%);
}

.trouble:empty {
  display: none;
}

.unblock {
  top: 50%;
  left: 50%;
  display: flex;
  align-items: center;
  gap: 10px;
  padding: 18px 26px;
  font-size: 17px;
  font-weight: 600;
  white-space: nowrap;
  transform: translate(-50%, -50%);
}

.expiring {
  position: absolute;
  z-index: 3;
  inset: auto 14px 14px;
  display: grid;
  justify-items: center;
  gap: 4px;
  max-width: 400px;
  margin-inline: auto;
  padding: 18px;
  border: 1px solid var(--edge);
  border-radius: calc(var(--radius) * 0.8);
  background: var(--paper);
  color: var(--ink);
  box-shadow: 0 18px 50px -12px rgb(0 0 0 / 55%);
  text-align: center;
  animation: settle 0.35s var(--ease);
}

/* Nothing can be done about it: it leaves the controls free. */
.expiring[data-certain] {
  inset: 58px 14px auto;
}

.expiring-title {
  font-size: 1.15em;
  font-weight: 600;
}

#expiring-text {
  color: var(--soft);
  font-variant-numeric: tabular-nums;
}

.expiring .primary {
  margin-top: 10px;
}

/* While it is asked whether the visitor is there, that is the only thing to press. */
.portrait:has(.expiring:not([hidden], [data-certain])) .controls {
  visibility: hidden;
}

.pulse {
  display: flex;
  align-items: center;
  gap: 2.5px;
  height: 12px;
}

.pulse i {
  width: 3px;
  height: 4px;
  border-radius: 2px;
  background: #8fe0d8;
}

[data-activity="listening"] .pulse i {
  height: 10px;
}

[data-activity="thinking"] .pulse i {
  animation: blink 1.2s ease-in-out infinite;
}

[data-activity="speaking"] .pulse i {
  height: 12px;
  animation: talk 0.9s ease-in-out infinite;
}

.pulse i:nth-child(2) {
  animation-delay: -0.25s !important;
}

.pulse i:nth-child(3) {
  animation-delay: -0.55s !important;
}

.self {
  position: absolute;
  z-index: 2;
  right: 14px;
  bottom: 14px;
  width: 24%;
  min-width: 76px;
  max-width: 150px;
  aspect-ratio: 4 / 3;
  border: 2px solid rgb(255 255 255 / 85%);
  border-radius: 14px;
  background: #0e1115;
  object-fit: cover;
  transform: scaleX(-1);
}

.controls {
  position: absolute;
  z-index: 2;
  bottom: 16px;
  left: 50%;
  display: flex;
  gap: 14px;
  align-items: center;
  transform: translateX(-50%);
  animation: appear 0.5s var(--ease) backwards;
}

.round {
  position: relative;
  display: grid;
  place-items: center;
  flex: none;
  width: 52px;
  height: 52px;
  padding: 0;
  border-radius: 50%;
  background: rgb(14 17 21 / 70%);
  color: #fff;
  backdrop-filter: blur(12px);
  transition: background-color 0.2s;
}

.round:hover {
  background: rgb(14 17 21 / 88%);
}

#mute[data-off="true"] {
  background: #fff;
  color: #1b1e23;
}

.round.danger {
  width: 60px;
  height: 60px;
  background: var(--danger);
}

.round.danger:hover {
  background: color-mix(in srgb, var(--danger) 86%, #000);
}

.round.danger svg {
  width: 29px;
  height: 29px;
}

.round:focus-visible,
.unblock:focus-visible {
  outline-color: #fff;
  box-shadow: 0 0 0 7px rgb(14 17 21 / 70%);
}

/* The ring round the microphone grows with the visitor's voice. */
.level {
  position: absolute;
  inset: 0;
  border: 2px solid #8fe0d8;
  border-radius: 50%;
  opacity: var(--level, 0);
  transform: scale(calc(1 + 0.16 * var(--level, 0)));
  transition:
    transform 0.1s linear,
    opacity 0.1s linear;
}

@keyframes appear {
  from {
    opacity: 0;
  }
}

@keyframes breathe {
  50% {
    opacity: 0.9;
  }
}

@keyframes blink {
  50% {
    opacity: 0.25;
  }
}

@keyframes talk {
  50% {
    transform: scaleY(0.35);
  }
}

/* Small pictures keep the mouth free: the buttons are smaller, the visitor's own picture is above them. */
@container visavis (width < 520px) {
  .self {
    bottom: 84px;
  }

  .round {
    width: 46px;
    height: 46px;
  }

  .round.danger {
    width: 52px;
    height: 52px;
  }
}

@container visavis (width < 380px) {
  .controls {
    gap: 10px;
    bottom: 12px;
  }

  .badge,
  .activity {
    top: 10px;
    padding: 8px 11px;
  }

  .badge {
    left: 10px;
  }

  .activity {
    right: 10px;
  }
}

/* Beside each other where there is room. */
@container visavis (width >= 720px) {
  .room {
    grid-template: minmax(0, var(--visavis-height, clamp(440px, 56cqi, 600px))) / minmax(0, 1fr) minmax(300px, 38%);
  }

  .portrait {
    aspect-ratio: auto;
  }
}

/* layout="fill": the element has a height of its own, and no card round it. */
:host([layout="fill"]) {
  max-width: none;
  height: 100%;
}

:host([layout="fill"]) .room {
  grid-template: auto minmax(0, 1fr) / minmax(0, 1fr);
  gap: 16px;
  height: 100%;
  overflow: visible;
  border: 0;
  border-radius: 0;
  background: none;
  box-shadow: none;
}

:host([layout="fill"]) .ambient {
  display: block;
}

:host([layout="fill"]) .portrait {
  height: min(100cqi, 44dvh);
  aspect-ratio: auto;
  border-radius: var(--radius);
  box-shadow: var(--shadow);
}

:host([layout="fill"]) [data-view="welcome"] .portrait {
  height: min(100cqi, 38dvh);
}

@container visavis (width >= 720px) {
  :host([layout="fill"]) .room {
    grid-template: minmax(0, 1fr) / minmax(0, 1fr) minmax(300px, 400px);
    gap: clamp(20px, 4cqi, 56px);
  }

  :host([layout="fill"]) .portrait,
  :host([layout="fill"]) [data-view="welcome"] .portrait {
    width: min(100%, 100dvh - 96px);
    height: auto;
    aspect-ratio: 1;
    justify-self: end;
  }
}

/* Where the picture is small, the controls stand beside the face: below it they would cover the mouth. */
@media (height <= 760px) {
  @container visavis (width < 900px) {
    :host([layout="fill"]) .controls {
      right: 12px;
      bottom: 12px;
      left: auto;
      flex-direction: column;
      gap: 8px;
      transform: none;
    }

    :host([layout="fill"]) .self {
      right: auto;
      bottom: 12px;
      left: 12px;
    }
  }
}
`;
