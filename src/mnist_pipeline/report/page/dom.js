// What all parts of the report share: the JSON in the page, and how elements are made; all text goes in as text.

const content = JSON.parse(document.getElementById("content").textContent);
const { models, sides } = content;
const CLASSES = sides.map((side) => side.classes).reduce((a, b) => b.length >= a.length ? b : a);
const AT_ONCE = 66; // images of mistakes
const SIZE = 28; // pixels of an image, each way
const $ = (id) => document.getElementById(id);
const percent = (share) => share === undefined || share === null ? "–" : `${(100 * share).toFixed(2)}%`;
const number = (value) => value === undefined ? "–" : value.toLocaleString("en");
const two = sides.length > 1;

function make(tag, properties = {}, ...children) {
  const { dataset, style, ...rest } = properties, made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, dataset);
  for (const [name, value] of Object.entries(style ?? {})) made.style.setProperty(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function table(head, rows, caption) { // a cell is text, a node, or [text or node, class]
  const cell = (tag, inside) => {
    const [what, className] = Array.isArray(inside) ? inside : [inside, ""];
    return make(tag, { className }, what);
  };
  const line = (cells) => make("tr", {}, ...cells.map((inside, at) => {
    const made = cell(at ? "td" : "th", inside);
    if (!at) made.scope = "row";
    return made;
  }));
  const first = make("tr", {}, ...head.map((inside) => Object.assign(cell("th", inside), { scope: "col" })));
  return make("table", {}, caption ? make("caption", {}, caption) : null,
    make("thead", {}, first), make("tbody", {}, ...rows.map(line)));
}

const mark = (model) => make("span", {
  className: "mark", ariaHidden: "true", textContent: Charts.glyph(models.indexOf(model)), dataset: { model },
});

function colourMarks() {
  for (const made of document.querySelectorAll(".mark")) {
    made.style.color = Charts.colour(models.indexOf(made.dataset.model));
  }
}
