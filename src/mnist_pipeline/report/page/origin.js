// What is known of the data, and where the results come from.

function changes({ changes: list }) {
  if (list === null) return null;
  const files = `${list.length} ${list.length === 1 ? "file differs" : "files differ"} from this commit`;
  return list.length ? make("details", {}, make("summary", {}, files), make("pre", {}, list.join("\n")))
    : make("p", {}, "Nothing differs from this commit.");
}

function commit(side) {
  return make("article", { className: "side" },
    make("h3", {}, side.name),
    make("p", {}, make("code", {}, side.commit.slice(0, 12)), ` of ${side.date}`),
    make("p", { className: "quiet" }, side.subject), changes(side));
}

function checks(side) {
  const { data } = side;
  const code = (text) => make("code", { title: text }, text.slice(0, 12));
  const files = Object.entries(data.files).map(([name, file]) => [name.replaceAll("_", " "),
    file.shape.join(" × "), code(file.sha256), code(file.idx_sha256)]);
  const splits = Object.entries(data.splits).map(([name, split]) => [name, number(split.images),
    ...split.labels.map(number)]);
  const scroll = (name, inside) => make("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: name },
    inside);
  return [
    scroll("Files", table(["file", "shape", "SHA-256 as published", "decompressed"], files,
      `${data.name}: four files that passed every check`)),
    scroll("Splits", table(["split", "images", ...side.classes], splits, "Images of each class")),
    make("p", { className: "quiet" }, `Pixels of the training files, 0–1: mean ${data.pixel_mean.toFixed(4)}, standard `
      + `deviation ${data.pixel_std.toFixed(4)}.`),
  ];
}

function showData() {
  const texts = sides.map((side) => JSON.stringify(side.data)), same = two && texts[0] === texts[1];
  for (const side of same ? sides.slice(0, 1) : sides) {
    if (two) $("checks").append(make("h3", {}, same ? "The same in both revisions" : side.name));
    $("checks").append(...(side.data ? checks(side) : [make("p", {}, "metrics/data.json is not there.")]));
  }
  const { of, files } = content.pictures;
  for (const { name } of same && of.length ? [] : sides.filter(({ name }) => !of.includes(name))) {
    $("pictures").append(make("p", { className: "problem" }, `The pictures that ${name} made of its data are not here: `
      + "results/data is missing, or of other data. Get it with dvc checkout, or make repro."));
  }
  $("pictures").append(...files.map((file) => make("figure", {},
    make("img", { src: file, alt: file.replace(/\.png$/, "").replaceAll("-", " ")}))));
}

function showOrigin() {
  $("commits").append(...sides.map(commit));
  const paths = [...new Set(sides.flatMap((side) => side.outputs.map(({ path }) => path)))].sort();
  const local = sides.some(({ changes: list }) => list !== null);
  const of = (side, path) => side.outputs.find((output) => output.path === path);
  const cell = (output) => output ? make("code", {}, output.md5) : "–";
  const rows = paths.map((path) => {
    const outputs = sides.map((side) => of(side, path));
    const differ = new Set(outputs.map((output) => output?.md5)).size > 1;
    const here = outputs.map((output) => output?.here).find(Boolean);
    return [make("code", {}, path), outputs.find(Boolean).stage, ...outputs.map(cell),
      ...(two ? [differ ? ["differs", "bad"] : "same"] : []),
      ...(local ? [here === "differs" ? [here, "bad"] : here ?? "–"] : [])];
  });
  $("lock").append(table(["output", "stage", ...sides.map(({ name }) => two ? `md5, ${name}` : "md5"),
    ...(two ? ["between them"] : []), ...(local ? ["on disk"] : [])], rows));
  $("lock-count").textContent = `${rows.length} outputs`;
}
