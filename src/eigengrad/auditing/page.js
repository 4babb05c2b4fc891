"use strict";
// The toggle shows one convention and hides the others; a cell of an image is read from its letters.
const toggle = document.getElementById("toggle");
let shown = "given";

function show(name) {
  shown = name;
  for (const part of document.querySelectorAll("[data-as]")) {
    part.toggleAttribute("hidden", part.dataset.as !== name);
  }
}

if (toggle) {
  toggle.hidden = false;
  toggle.addEventListener("change", (event) => show(event.target.value));
  show(toggle.querySelector(":checked").value);
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decoded(text, k) {
  const code = LETTERS.indexOf(text[2 * k]) * 64 + LETTERS.indexOf(text[2 * k + 1]);
  return code === 0 ? NaN : (code - 2048) / 2047;
}

function entry(data, i, j, columns) {
  const low = (i, j) => (i < j ? 0 : decoded(data.lower, (i * (i + 1)) / 2 + j));
  const high = (i, j) => Number(data.sign) * low(j, i);
  if (!data.lower || shown === "given") return decoded(data.given, i * columns + j);
  if (shown === "symmetric") return (low(i, j) + high(i, j)) / 2;
  return shown === "lower" ? low(i, j) : high(i, j);
}

// A part of the scale, to the decimals that its letters carry.
function written(part, scale) {
  if (Number.isNaN(part)) return "NaN";
  const power = scale > 0 ? Math.floor(Math.log10(scale)) : 0;
  const shift = power >= -3 && power < 4 ? 0 : power;
  const unit = scale / 10 ** shift;
  const digits = Math.max(0, Math.floor(Math.log10(2047 / (unit || 1))));
  const text = (part * unit).toFixed(digits);
  return Number(text) === 0 ? "0" : `${text}${shift ? `e${shift}` : ""}`.replaceAll("-", "−");
}

function range(word, k, block, size) {
  const last = Math.min((k + 1) * block, size) - 1;
  return last > k * block ? `${word}s ${k * block}–${last}` : `${word} ${k * block}`;
}

for (const image of document.querySelectorAll("svg.image")) {
  const data = image.dataset;
  const said = image.parentElement.querySelector("output");
  const [rows, columns] = data.shape.split(" ").map(Number);
  const block = Number(data.block);
  const [height, width] = [rows, columns].map((size) => Math.ceil(size / block));
  const cursor = image.querySelector(".cursor");
  let [i, j] = [-1, -1];

  const read = () => {
    if (i < 0) return;
    i = Math.min(Math.max(i, 0), height - 1);
    j = Math.min(Math.max(j, 0), width - 1);
    cursor.setAttribute("x", j);
    cursor.setAttribute("y", i);
    cursor.removeAttribute("hidden");
    const value = written(entry(data, i, j, width), Number(data.scale));
    said.value = `${range("Row", i, block, rows)}, ${range("column", j, block, columns)}: ${block > 1 ? "mean " : ""}${value}`;
  };
  said.hidden = false;
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    i = Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * height));
    j = Math.floor(((event.clientX - box.left) / box.width) * width);
    read();
  });
  image.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    [i, j] = i < 0 ? [0, 0] : [Math.max(i + step[0], 0), j + step[1]];
    read();
  });
  toggle?.addEventListener("change", read);
}
