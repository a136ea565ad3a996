/**
 * A transparent picture comes as one video frame of twice its width: on the left the person in front of black
 * (premultiplied colours), on the right how much of the person is seen at each pixel, from black to white.
 */

/** What of the opacity is the codec's noise, at both ends. */
const NOISE = 8 / 255;

const VERTEX = `
attribute vec2 corner;
varying vec2 place;

void main() {
  place = vec2(0.5 + 0.5 * corner.x, 0.5 - 0.5 * corner.y);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// Where both halves meet, half a pixel is left out: the colour would take in some of the opacity beside it.
const FRAGMENT = `
#ifdef GL_FRAGMENT_PRECISION_HIGH
precision highp float;
#else
precision mediump float;
#endif
uniform sampler2D frame;
uniform bool cut;
uniform float pixel;
varying vec2 place;

void main() {
  if (cut) {
    vec3 colour = texture2D(frame, vec2(min(0.5 * place.x, 0.5 - 0.5 * pixel), place.y)).rgb;
    float seen = texture2D(frame, vec2(max(0.5 + 0.5 * place.x, 0.5 + 0.5 * pixel), place.y)).g;
    float alpha = clamp((seen - ${NOISE.toFixed(5)}) / ${(1 - 2 * NOISE).toFixed(5)}, 0.0, 1.0);
    gl_FragColor = vec4(min(colour, alpha), alpha);
  } else {
    gl_FragColor = vec4(texture2D(frame, place).rgb, 1.0);
  }
}`;

/** Shows a video in a canvas, and where its picture is transparent, the page behind. */
export class TransparentCanvas {
  #canvas;
  #video;
  /** @type {GlPainter | PlainPainter | null} */
  #painter;
  #cut = false;
  #abort = new AbortController();
  #request = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLVideoElement} video  need not be in the page
   */
  constructor(canvas, video) {
    this.#canvas = canvas;
    this.#video = video;
    this.#painter = GlPainter.open(canvas) ?? new PlainPainter(canvas);
    const { signal } = this.#abort;
    canvas.addEventListener(
      "webglcontextlost",
      (event) => {
        // Else the browser would never give it back.
        event.preventDefault();
        this.#painter = null;
      },
      { signal },
    );
    canvas.addEventListener("webglcontextrestored", () => (this.#painter = GlPainter.open(canvas)), { signal });
    this.#ask();
  }

  /** Whether the frames hold colours and opacity side by side. */
  get cut() {
    return this.#cut;
  }

  set cut(cut) {
    this.#cut = cut;
  }

  /** Paint no more, leave the canvas empty, and free what was used for it. */
  close() {
    this.#abort.abort();
    if ("requestVideoFrameCallback" in this.#video) {
      this.#video.cancelVideoFrameCallback(this.#request);
    } else {
      cancelAnimationFrame(this.#request);
    }
    this.#painter?.close();
    this.#painter = null;
  }

  #ask() {
    const paint = () => {
      this.#ask();
      this.#paint();
    };
    this.#request =
      "requestVideoFrameCallback" in this.#video
        ? this.#video.requestVideoFrameCallback(paint)
        : requestAnimationFrame(paint);
  }

  #paint() {
    const { videoWidth, videoHeight, readyState } = this.#video;
    if (videoWidth === 0 || readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      return;
    }
    const width = this.#cut ? videoWidth / 2 : videoWidth;
    if (this.#canvas.width !== width || this.#canvas.height !== videoHeight) {
      this.#canvas.width = width;
      this.#canvas.height = videoHeight;
    }
    this.#painter?.paint(this.#video, this.#cut);
  }
}

/** By WebGL. */
class GlPainter {
  #gl;
  #program;
  #buffer;
  #texture;
  #cut;
  #pixel;

  /**
   * @param {HTMLCanvasElement} canvas
   * @returns {GlPainter | null}  null where there is no WebGL, or not now
   */
  static open(canvas) {
    const gl = canvas.getContext("webgl", { alpha: true, premultipliedAlpha: true, antialias: false, depth: false });
    const program = gl && !gl.isContextLost() ? link(gl) : null;
    return gl && program ? new GlPainter(gl, program) : null;
  }

  /**
   * @param {WebGLRenderingContext} gl
   * @param {WebGLProgram} program
   */
  constructor(gl, program) {
    this.#gl = gl;
    this.#program = program;
    this.#buffer = gl.createBuffer();
    this.#texture = gl.createTexture();
    this.#cut = gl.getUniformLocation(program, "cut");
    this.#pixel = gl.getUniformLocation(program, "pixel");
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, this.#texture);
    for (const [name, value] of [
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
      [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    ]) {
      gl.texParameteri(gl.TEXTURE_2D, name, value);
    }
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} cut
   */
  paint(video, cut) {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, video);
    gl.uniform1i(this.#cut, cut ? 1 : 0);
    gl.uniform1f(this.#pixel, 1 / video.videoWidth);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  close() {
    const gl = this.#gl;
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.deleteTexture(this.#texture);
    gl.deleteBuffer(this.#buffer);
    gl.deleteProgram(this.#program);
  }
}

/** Without WebGL: each pixel by the processor. */
class PlainPainter {
  #context;
  #scratch;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#context = canvas.getContext("2d");
    this.#scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} cut
   */
  paint(video, cut) {
    const context = this.#context;
    const scratch = this.#scratch;
    if (!cut) {
      context?.drawImage(video, 0, 0);
    } else if (context && scratch) {
      const { videoWidth, videoHeight } = video;
      if (scratch.canvas.width !== videoWidth || scratch.canvas.height !== videoHeight) {
        scratch.canvas.width = videoWidth;
        scratch.canvas.height = videoHeight;
      }
      scratch.drawImage(video, 0, 0);
      const frame = scratch.getImageData(0, 0, videoWidth, videoHeight);
      context.putImageData(together(frame), 0, 0);
    }
  }

  close() {
    const { width, height } = this.#context?.canvas ?? { width: 0, height: 0 };
    this.#context?.clearRect(0, 0, width, height);
    if (this.#scratch) {
      // Gives its memory back now.
      this.#scratch.canvas.width = this.#scratch.canvas.height = 0;
    }
  }
}

/**
 * @param {ImageData} frame  colours and opacity side by side
 * @returns {ImageData}  of half the width; its colours are not premultiplied
 */
function together(frame) {
  const width = frame.width / 2;
  const result = new ImageData(width, frame.height);
  const from = frame.data;
  const to = result.data;
  for (let y = 0; y < frame.height; y += 1) {
    let source = 4 * y * frame.width;
    let target = 4 * y * width;
    for (let x = 0; x < width; x += 1, source += 4, target += 4) {
      const alpha = Math.min(1, Math.max(0, (from[source + 4 * width + 1] / 255 - NOISE) / (1 - 2 * NOISE)));
      if (alpha > 0) {
        // Clamped to 255 by the array itself.
        to[target] = from[source] / alpha;
        to[target + 1] = from[source + 1] / alpha;
        to[target + 2] = from[source + 2] / alpha;
        to[target + 3] = 255 * alpha;
      }
    }
  }
  return result;
}

/** @param {WebGLRenderingContext} gl */
function link(gl) {
  const program = gl.createProgram();
  if (!program) {
    return null;
  }
  for (const [kind, source] of /** @type {const} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ])) {
    const shader = gl.createShader(kind);
    if (!shader) {
      return null;
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    // It goes with the program.
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    console.warn("visavis: the shader was not taken", gl.getProgramInfoLog(program));
    gl.deleteProgram(program);
    return null;
  }
  return program;
}
