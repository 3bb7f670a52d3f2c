// Confusion matrices; a press on a mistake shows its images.

function matrix(model, side) {
  const { classes } = side, longest = Math.max(...classes.map(({ length }) => length));
  const counts = side.confusion[model], most = Math.max(1, ...counts.flatMap((row, label) =>
    row.filter((_, predicted) => predicted !== label)));
  const cell = (count, label, predicted) => {
    if (label === predicted) return [String(count), "right"];
    if (!count) return ["", "none"];
    const title = `${count} × ${classes[label]} taken for ${classes[predicted]} by ${model}, ${side.name}`;
    const strength = `${Math.round(15 + 60 * Math.log1p(count) / Math.log1p(most))}%`;
    const press = make("button", { type: "button", title, ariaLabel: title, style: { "--strength": strength } },
      String(count));
    press.addEventListener("click", () => filter({ which: side.name, model, true: label, predicted }));
    return [press, "wrong"];
  };
  const rows = counts.map((row, label) => [classes[label], ...row.map((count, at) => cell(count, label, at))]);
  const errors = side.mistakes[model].length;
  const made = table(["", ...classes], rows);
  made.ariaLabel = `Confusion of ${model}, ${side.name}`;
  const form = `matrix${classes.length > 10 ? " many" : ""}${longest > 2 ? " named" : ""}`;
  const style = { "--classes": classes.length, "--name": `${longest}ch` };
  return make("figure", { className: form, style, dataset: { line: `${model}\n${side.name}` } },
    make("figcaption", {}, mark(model), " ", make("strong", {}, model),
      make("span", { className: "quiet" }, `${two ? `${side.name}: ` : ""}${number(errors)} ${
        errors === 1 ? "error" : "errors"}`)), made);
}

function showMatrices() {
  for (const model of models) {
    const having = sides.filter((side) => side.confusion[model]);
    $("matrices").append(make("div", { className: "pair" }, ...having.map((side) => matrix(model, side))));
  }
}
