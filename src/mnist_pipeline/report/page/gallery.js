// The images that models got wrong, by model, true class and predicted class.

const places = new Map(content.sprite.indices.map((index, place) => [index, place]));
let found = [], visible = AT_ONCE;

function wrong(side) { // index → {label, answers: Map of model to predicted digit}
  const images = new Map();
  for (const [model, rows] of Object.entries(side.mistakes)) {
    for (const [index, label, predicted] of rows) {
      if (!images.has(index)) images.set(index, { index, label, answers: new Map() });
      images.get(index).answers.set(model, predicted);
    }
  }
  return images;
}
const wrongBySide = new Map(sides.map((side) => [side.name, wrong(side)]));

function only(from, without) { // the mistakes of one side that the other one does not make with the same model
  const kept = [];
  for (const image of wrongBySide.get(from).values()) {
    const other = wrongBySide.get(without).get(image.index)?.answers;
    const compared = sides.find((side) => side.name === without).mistakes;
    const answers = [...image.answers].filter(([model]) => model in compared && !other?.has(model));
    if (answers.length) kept.push({ ...image, answers: new Map(answers) });
  }
  return kept;
}

function chosen() {
  const [kind, from, without] = JSON.parse($("which").value);
  const images = kind === "all" ? [...wrongBySide.get(from).values()] : only(from, without);
  const fits = ([model, predicted]) => (!$("model").value || model === $("model").value)
    && (!$("predicted").value || String(predicted) === $("predicted").value);
  return images
    .filter((image) => !$("true").value || String(image.label) === $("true").value)
    .map((image) => ({ ...image, side: from, answers: new Map([...image.answers].filter(fits)) }))
    .filter((image) => image.answers.size)
    .sort((a, b) => a.index - b.index);
}

function digit(image, scale) {
  const side = sides.find(({ name }) => name === image.side), place = places.get(image.index);
  if (side.no_images || place === undefined) return make("span", { className: "digit empty" }, "?");
  const { columns } = content.sprite, pixels = SIZE * scale;
  return make("span", { className: "digit", style: {
    width: `${pixels}px`, height: `${pixels}px`, "background-size": `${columns * pixels}px auto`,
    "background-position": `${-(place % columns) * pixels}px ${-Math.floor(place / columns) * pixels}px`,
  } });
}

function called(image, label) {
  return sides.find(({ name }) => name === image.side).classes[label];
}

function tile(image) {
  const said = [...new Set(image.answers.values())].sort(), by = [...image.answers.keys()];
  const who = by.length === 1 ? by[0] : `${by.length} models`;
  const title = `Test image ${image.index}, ${by.join(", ")}`;
  const press = make("button", { type: "button", title }, digit(image, 2),
    make("span", {}, make("span", { className: "unseen" }, "true "), called(image, image.label), " → ",
      make("strong", {}, said.map((label) => called(image, label)).join(", "))),
    make("span", { className: "quiet" }, who));
  press.addEventListener("click", () => explain(image));
  return make("li", {}, press);
}

function explain(image) {
  $("image-title").textContent = `Test image ${image.index}: ${called(image, image.label)}`;
  $("image-digit").replaceChildren(digit(image, 6));
  const answer = (side, model) => model in side.mistakes
    ? wrongBySide.get(side.name).get(image.index)?.answers.get(model) ?? image.label : null;
  const same = sides.filter((side) => side.name === image.side || !side.no_images);
  const cell = (said) => said === null ? "–" : [called(image, said), said === image.label ? "" : "bad"];
  $("image-answers").replaceChildren(table(["model", ...same.map(({ name }) => two ? name : "predicted")],
    models.map((model) => [model, ...same.map((side) => cell(answer(side, model)))])));
  $("image").showModal();
}

function showGallery() {
  found = chosen();
  const side = sides.find(({ name }) => name === JSON.parse($("which").value)[1]);
  const mistakes = found.reduce((sum, image) => sum + image.answers.size, 0);
  $("count").textContent = `${number(mistakes)} ${mistakes === 1 ? "mistake" : "mistakes"} on ${number(found.length)} `
    + `${found.length === 1 ? "image" : "images"}`;
  $("no-images").hidden = !side.no_images;
  $("no-images").textContent = side.no_images ?? "";
  $("gallery").replaceChildren(...found.slice(0, visible).map(tile));
  $("more").hidden = found.length <= visible;
}

function filter(wanted) {
  $("which").value = JSON.stringify(["all", wanted.which]);
  for (const name of ["model", "true", "predicted"]) $(name).value = String(wanted[name]);
  visible = AT_ONCE;
  showGallery();
  $("mistakes").scrollIntoView();
  $("model").focus({ preventScroll: true });
}

function option(value, text) {
  return make("option", { value }, text);
}

function showFilters() {
  const [a, b] = sides.map(({ name }) => name);
  $("which").append(...sides.map(({ name }) => option(JSON.stringify(["all", name]), name)).reverse());
  if (two) {
    $("which").append(option(JSON.stringify(["only", b, a]), `gained: right in ${a}, wrong in ${b}`),
      option(JSON.stringify(["only", a, b]), `lost: wrong in ${a}, right in ${b}`));
  }
  $("which-field").hidden = !two;
  $("model").append(option("", "any"), ...models.map((model) => option(model, model)));
  for (const name of ["true", "predicted"]) {
    $(name).append(option("", "any"), ...CLASSES.map((name, label) => option(String(label), name)));
  }
  const again = () => { visible = AT_ONCE; showGallery(); };
  $("filters").addEventListener("change", again);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(again)); // the fields are reset only after the event
  $("more").addEventListener("click", () => { visible *= 3; showGallery(); });
  showGallery();
}
