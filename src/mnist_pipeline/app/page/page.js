// A page on which to draw a digit: what was drawn, what is asked of the server, and what it answers.

const SIZE = 560, WIDTH = 44, STEP = 14; // of the board, in its own pixels
const SENT = 168; // pixels: six for each that the network sees; more would only cost time
const LARGEST = 20_000_000; // bytes
const BARS = 10, DIGITS = "0123456789"; // at most; what is named before a model is
const PHOTO = 560; // pixels: the longer side of a photo as it is sent; in whole it would take three times as long
const KINDS = ["png", "jpeg", "webp", "bmp", "gif"].map((kind) => `image/${kind}`); // that the server reads
const BUSY = "The server has too many clients. Try again.";
const SILENT = "No answer from the server. Is mnist app still running?";
const $ = (id) => document.getElementById(id);
const board = $("board"), pen = $("pen"), ink = board.getContext("2d", { willReadFrequently: true });

// ---- What is on the board: strokes, pictures and clearings, in order. Undo takes back the last of them.
const items = [];
let stroke = null; // the one that is being drawn

function visible() {
  const start = items.findLastIndex((item) => item.kind !== "stroke");
  return start >= 0 && items[start].kind === "picture" && start === items.length - 1
    ? items.slice(start) : items.slice(start + 1);
}

function paint() {
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, SIZE, SIZE);
  const [first] = visible();
  for (const item of visible()) item.kind === "picture" ? paintPicture(item) : paintStroke(item.points);
  $("hint").hidden = Boolean(first?.bitmap || first?.points);
  $("hint").textContent = first?.name ?? "Draw here, or drop a picture";
}

function paintPicture({ bitmap }) {
  if (!bitmap) return; // no picture, or a kind that this browser does not show: its name stands there instead
  const scale = SIZE / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  ink.imageSmoothingEnabled = scale < 4;
  ink.drawImage(bitmap, (SIZE - width) / 2, (SIZE - height) / 2, width, height);
}

function paintStroke(points) {
  Object.assign(ink, { strokeStyle: "#fff", lineCap: "round", lineJoin: "round" });
  points.forEach((point, index) => {
    const from = points[Math.max(0, index - 1)];
    ink.lineWidth = point.width;
    ink.beginPath();
    ink.moveTo(from.x, from.y);
    ink.lineTo(point.x, point.y);
    ink.stroke();
  });
}

function put(item) {
  if (item.kind !== "stroke") endStroke();
  items.push(item);
  changed(true);
}

function endStroke() { // what else is drawn of it would lie below a picture, or nowhere
  stroke = penStroke = null;
  showPen();
}

function undo() {
  endStroke();
  if (items.pop()) changed(true);
}

function clear() {
  if (visible().length) put({ kind: "clear" });
}

// ---- Mouse, pen and finger.
function where(event) {
  const area = board.getBoundingClientRect();
  const width = event.pointerType === "pen" && event.pressure ? WIDTH * (0.5 + event.pressure) : WIDTH;
  const scale = SIZE / area.width;
  return { x: (event.clientX - area.left) * scale, y: (event.clientY - area.top) * scale, width };
}

board.addEventListener("pointerdown", (event) => {
  if (stroke || event.button) return; // a second finger draws nothing
  board.setPointerCapture(event.pointerId);
  liftPen();
  stroke = { kind: "stroke", pointer: event.pointerId, points: [where(event)] };
  put(stroke);
});
board.addEventListener("pointermove", (event) => {
  if (stroke?.pointer !== event.pointerId) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(where));
  changed();
});
for (const name of ["pointerup", "pointercancel"]) {
  board.addEventListener(name, (event) => {
    if (stroke?.pointer !== event.pointerId) return;
    stroke = null;
    changed();
  });
}

// ---- Keyboard: a pen that the arrow keys move.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const place = { x: SIZE / 2, y: SIZE / 4, width: WIDTH };
let penStroke = null; // while the pen is down

function showPen() {
  pen.hidden = !board.matches(":focus-visible");
  pen.classList.toggle("down", Boolean(penStroke));
  Object.assign(pen.style, { left: `${place.x / SIZE * 100}%`, top: `${place.y / SIZE * 100}%` });
}

function liftPen() {
  if (!penStroke) return showPen();
  penStroke = null;
  changed();
  showPen();
}

function togglePen() {
  if (penStroke) {
    say("Pen up. ");
    liftPen();
  } else {
    penStroke = { kind: "stroke", points: [{ ...place }] };
    put(penStroke);
    $("spoken").textContent = "Pen down";
  }
}

function movePen([x, y], far) {
  const step = far ? 4 * STEP : STEP;
  place.x = Math.min(SIZE, Math.max(0, place.x + x * step));
  place.y = Math.min(SIZE, Math.max(0, place.y + y * step));
  if (!penStroke) return;
  penStroke.points.push({ ...place });
  changed();
}

board.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") togglePen();
  else if (event.key in ARROWS) movePen(ARROWS[event.key], event.shiftKey);
  else return;
  event.preventDefault();
  showPen();
});
board.addEventListener("focus", showPen);
board.addEventListener("blur", liftPen);

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") undo();
  else if (event.key === "Delete") clear();
  else return;
  event.preventDefault();
  liftPen();
});
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);

// ---- Pictures: dropped, opened, pasted.
async function open(file) {
  if (!file) return;
  const megabytes = Math.ceil(file.size / 1e6);
  if (file.size > LARGEST) return complain(`${file.name}: expected at most 20 MB, found ${megabytes} MB`);
  try {
    const body = new Blob([await file.arrayBuffer()], { type: file.type }); // the file may change or go away later
    const bitmap = await createImageBitmap(body).catch(() => null);
    put({ kind: "picture", name: file.name, body: reduced(bitmap, file.type) ?? body, bitmap });
  } catch {
    complain(`${file.name}: can't be read; is it a folder?`);
  }
}

function reduced(bitmap, kind) { // one that is large or of another kind as a PNG, upright; null: sent as it is
  const scale = Math.min(1, PHOTO / Math.max(bitmap?.width ?? 0, bitmap?.height ?? 0));
  if (!bitmap || (scale === 1 && KINDS.includes(kind))) return null;
  const canvas = document.createElement("canvas");
  const [width, height] = [bitmap.width, bitmap.height].map((pixels) => Math.max(1, Math.round(pixels * scale)));
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return png(canvas);
}

function png(canvas) { // at once: toBlob waits until the browser is idle, in Chromium on a desktop for up to 6.7 s
  const characters = atob(canvas.toDataURL().split(",")[1]);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at); // Uint8Array.from is slow for a photo
  return new Blob([bytes], { type: "image/png" });
}

$("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = ""; // so that the same one can be opened again
});
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    board.parentElement.classList.toggle("over", name === "dragover");
    if (name !== "drop") return;
    const file = event.dataTransfer.files[0];
    file ? open(file) : complain("What was dropped is not the file of a picture.");
  });
}

// ---- Asking: one request at a time, always about the newest state; an answer that no longer fits is dropped.
let state = 0, fitting = 0, asking = false, answer = null;

function changed(wholly = false) {
  state += 1;
  if (wholly) fitting = state; // while a stroke grows, an answer about its beginning still helps
  paint();
  ask();
}

async function ask() {
  if (asking) return;
  busy(true);
  try {
    for (let asked = -1; asked !== state;) {
      asked = state;
      const { found = null, reason = "" } = await request();
      if (asked < fitting || (reason && growing())) continue;
      show(found);
      complain(reason);
    }
  } finally {
    busy(false);
    say();
  }
}

function busy(is) {
  asking = is;
  $("answer").setAttribute("aria-busy", is);
}

function drawing() {
  const sent = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
  const context = sent.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(board, 0, 0, SENT, SENT);
  return png(sent);
}

const growing = () => Boolean(stroke || penStroke);

function isBeginning() { // of a digit: a dot or a dash, too low to be one
  if (!growing()) return false;
  const heights = visible().flatMap(({ points }) => points.map(({ y }) => y));
  return Math.max(...heights) - Math.min(...heights) < 3 * WIDTH;
}

async function request() {
  const [first] = visible();
  if (!first || isBeginning()) return {};
  const body = first.body ?? drawing();
  const version = $("model").value; // none as long as the list has not come; the server then takes the champion
  try {
    const response = await fetch(version ? `predict?version=${version}` : "predict", { method: "POST", body });
    const content = await response.json().catch(() => ({ detail: BUSY }));
    return response.ok ? { found: content } : { reason: content.detail };
  } catch {
    return { reason: SILENT };
  }
}

// ---- Showing.
const percent = (share) => `${(share * 100).toFixed(1).replace("100.0", "100")}%`;
let classes = [], bars = [];

function name(given) {
  if (given.join("|") === classes.join("|")) return;
  classes = given;
  bars = classes.map((called) => {
    const bar = document.createElement("li");
    bar.innerHTML = '<span></span><span class="track" aria-hidden="true"><i></i></span><span class="percent">–</span>';
    bar.firstChild.textContent = called;
    return bar;
  });
  $("bars").replaceChildren(...bars.slice(0, BARS));
  const longest = Math.max(...classes.map(({ length }) => length));
  $("answer").style.setProperty("--name", `${0.6 * longest}rem`);
  $("answer").classList.toggle("named", longest > 2);
  $("title").textContent = classes.join("") === DIGITS ? "Draw a digit" : `Draw one of ${classes.length} classes`;
}

function complain(reason) {
  if ($("problem").textContent !== reason) $("problem").textContent = reason; // or it would be read out again
}

function show(found) {
  answer = found;
  if (found) name(found.classes);
  $("digit").textContent = found ? classes[found.digit] : "–";
  $("sure").textContent = found ? percent(found.probabilities[found.digit]) : "";
  bars.forEach((bar, digit) => {
    const share = found?.probabilities[digit] ?? 0;
    bar.classList.toggle("likeliest", found?.digit === digit);
    bar.querySelector("i").style.transform = `scaleX(${share})`;
    bar.querySelector(".percent").textContent = found ? percent(share) : "–";
  });
  if (found && bars.length > BARS) { // of many classes the likeliest, in the order of all
    const least = [...found.probabilities].sort((a, b) => b - a).slice(0, BARS).at(-1);
    $("bars").replaceChildren(...bars.filter((_, at) => found.probabilities[at] >= least).slice(0, BARS));
  }
  showSeen(found?.seen ?? Array(28).fill(Array(28).fill(0)));
  const what = found ? "28 by 28 pixels, light ink on black" : "nothing yet";
  $("seen").setAttribute("aria-label", `What the network sees: ${what}`);
}

function showSeen(rows) {
  const pixels = rows.flat().flatMap((value) => [value, value, value, 255]);
  $("seen").getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), 28), 0, 0);
}

// A screen reader hears the answer when the pen rests, not at every movement.
let resting = 0, before = "";
function say(first = before) {
  clearTimeout(resting);
  before = first;
  resting = setTimeout(() => {
    if (growing() || asking) return;
    const words = answer ? `${classes[answer.digit]}, ${percent(answer.probabilities[answer.digit])}` : "";
    $("spoken").textContent = before + words;
    before = "";
  }, 400);
}

// ---- Models.
const known = new Map(); // the classes of each version

async function list() {
  const response = await fetch("models");
  const models = await response.json();
  if (!answer) name(models[0].classes);
  for (const { version, model, classes: names, champion, test_accuracy: accuracy, unavailable } of models) {
    known.set(String(version), names);
    const right = accuracy === null ? "" : `, ${(accuracy * 100).toFixed(2)}% right`;
    const rest = unavailable ? ", not available" : right; // the reason is the answer when it is chosen
    $("model").add(new Option(`${model} v${version}${champion ? ", champion" : ""}${rest}`, version));
  }
}

$("model").addEventListener("change", ({ target }) => {
  name(known.get(target.value));
  changed(true);
});
paint();
name([...DIGITS]);
list().catch(() => complain(SILENT));
