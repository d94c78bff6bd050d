// Draws the requested images one by one, so that the page stays responsive.

const COLUMNS = 10, ROWS = 10; // of one class
const SLICE = 30; // milliseconds of drawing before the browser handles events

const text = (id) => document.getElementById(id).textContent;
const element = (id) => document.getElementById(id);
const program = JSON.parse(text("program"));
const generate = generatorOf(program, Uint8Array.from(atob(text("weights").trim()), (letter) => letter.charCodeAt(0)));
const { classes: NAMES, channels: CHANNELS, size: SIDE } = program;
const SHOWN = [...NAMES.keys()].slice(0, program.most_rows); // labels shown together

/** Draws a latent vector from a seed (mulberry32, then Box and Muller). */
function latentOf(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length: program.latent_dim }, () =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** Paints an image, channel by channel in -1..1: grey, or red, green and blue. */
function paint(canvas, column, image) {
  const pixels = new ImageData(SIDE, SIDE), area = SIDE * SIDE;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      pixels.data[4 * i + c] = Math.round((image[CHANNELS === 1 ? i : c * area + i] + 1) * 127.5);
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, column * SIDE, 0);
}

/** Returns a function that draws a list of images and returns images per second; a new call cancels an unfinished one. */
function painter() {
  let latest = 0;
  return async (list) => {
    const request = ++latest, start = performance.now();
    for (let done = 0, sliceStart = start; done < list.length; done++) {
      const { canvas, column, latent, label, truncation } = list[done];
      paint(canvas, column, generate(latent, label, truncation));
      if (performance.now() - sliceStart > SLICE) {
        await new Promise((resume) => setTimeout(resume));
        if (latest !== request) return null;
        sliceStart = performance.now();
      }
    }
    return list.length / ((performance.now() - start) / 1000);
  };
}

function canvasOf(columns, label) {
  const canvas = document.createElement("canvas");
  canvas.width = columns * SIDE;
  canvas.height = SIDE;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  return canvas;
}

const paintGrid = painter(), paintRow = painter();
let seed = 0, ends = 1_000_000;

async function drawGrid() {
  const chosen = document.querySelector("input[name=class]:checked, select[name=class]").value;
  const labels = chosen === "all" ? SHOWN : new Array(ROWS).fill(Number(chosen));
  const truncation = Number(element("truncation").value), list = [];
  const rows = labels.map((label, row) => {
    const canvas = canvasOf(COLUMNS, `${COLUMNS} images, ${NAMES[label]}`), line = document.createElement("div");
    if (chosen === "all") line.append(Object.assign(document.createElement("span"), { textContent: NAMES[label] }));
    line.append(canvas);
    for (let column = 0; column < COLUMNS; column++) {
      const latent = latentOf(seed * 1000 + column + (chosen === "all" ? 0 : COLUMNS * row));
      list.push({ canvas, column, latent, label, truncation });
    }
    return line;
  });
  const grid = element("grid"), caption = element("grid-caption");
  grid.classList.toggle("single", chosen !== "all");
  grid.replaceChildren(...rows);
  element("truncation-value").textContent = truncation.toFixed(2);
  const kind = chosen === "all" ? "Each column has one latent vector." : "Each image has its own latent vector.";
  caption.textContent = kind;
  const rate = await paintGrid(list);
  if (rate === null) return; // cancelled by a newer request
  caption.textContent = `${kind} ${rate.toFixed(0)} images a second in this browser. Truncation below 1: more typical, less varied.`;
  grid.dataset.done = `${chosen} ${seed} ${truncation}`;
}

const tiles = SHOWN.map((label) => {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const canvas = canvasOf(1, NAMES[label]);
  caption.textContent = NAMES[label];
  figure.append(canvas, caption);
  element("row").append(figure);
  return canvas;
});

function drawRow() {
  const position = Number(element("position").value), angle = (position * Math.PI) / 2;
  const from = latentOf(ends), to = latentOf(ends + 1);
  const latent = from.map((value, i) => Math.cos(angle) * value + Math.sin(angle) * to[i]);
  element("way-value").textContent = `${Math.round(100 * position)} %`;
  return paintRow(tiles.map((canvas, label) => ({ canvas, column: 0, latent, label })));
}

async function play() {
  const slider = element("position"), button = element("play");
  if (button.dataset.playing) { delete button.dataset.playing; return; }
  button.dataset.playing = "yes";
  button.textContent = "Stop";
  if (Number(slider.value) === 1) slider.value = 0;
  while (button.dataset.playing && Number(slider.value) < 1) {
    slider.value = Number(slider.value) + 0.02;
    await drawRow();
    await new Promise((resume) => setTimeout(resume, 40));
  }
  delete button.dataset.playing;
  button.textContent = "Play";
}

document.querySelectorAll("[name=class]").forEach((input) => input.addEventListener("change", drawGrid));
element("truncation").addEventListener("input", drawGrid);
element("others").addEventListener("click", () => { seed++; drawGrid(); });
element("position").addEventListener("input", drawRow);
element("ends").addEventListener("click", () => { ends += 2; drawRow(); });
element("play").addEventListener("click", play);
drawGrid().then(drawRow);
