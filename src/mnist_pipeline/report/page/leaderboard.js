// The leaderboard, and the choice of the models that curves and matrices show.

function ranked(side) {
  return Object.keys(side.metrics).sort((a, b) => side.metrics[b].test_accuracy - side.metrics[a].test_accuracy);
}

function leaderboardOfOne(side) {
  const head = ["model", "test accuracy", "95 % interval", "test errors", "validation accuracy", "calibration",
    "parameters"];
  return table(head, ranked(side).map((model) => {
    const of = side.metrics[model], name = make(model === side.best ? "strong" : "span", {}, model);
    return [make("span", {}, mark(model), " ", name), percent(of.test_accuracy),
      `${percent(of.test_accuracy_low)} – ${percent(of.test_accuracy_high)}`, number(of.test_errors),
      percent(of.validation_accuracy), of.calibration_error?.toFixed(4) ?? "–", number(of.parameters)];
  }));
}

function leaderboardOfTwo(before, after, { rows }) {
  const accuracy = (of) => of ? make("span", { className: "stacked" }, percent(of.test_accuracy),
    make("small", {}, `${(100 * of.test_accuracy_low).toFixed(2)} – ${percent(of.test_accuracy_high)}`)) : "–";
  const best = (model) => [before, after].some((side) => side.best === model) ? "strong" : "span";
  const signed = (points) => points === null ? "–" : `${points < 0 ? "−" : points ? "+" : ""}${
    Math.abs(points).toFixed(2)}`;
  const order = [...new Set([...ranked(after), ...ranked(before)])];
  const head = ["model", before.name, after.name, "points", "errors", "gained", "lost", "McNemar p"];
  return table(head, order.map((model) => {
    const { points, paired } = rows.find((row) => row.model === model);
    const [old, now] = [before, after].map((side) => side.metrics[model]);
    const certain = paired && paired.p_corrected < 0.05 ? points < 0 ? "bad" : "good" : "";
    return [make("span", {}, mark(model), " ", make(best(model), {}, model)), accuracy(old), accuracy(now),
      [signed(points), certain], `${number(old?.test_errors)} → ${number(now?.test_errors)}`,
      number(paired?.gained), number(paired?.lost), paired ? paired.p_corrected.toPrecision(2) : "–"];
  }));
}

function showLeaderboard() {
  const { comparison } = content;
  $("leaderboard-table").append(two ? leaderboardOfTwo(...sides, comparison) : leaderboardOfOne(sides[0]));
  const notes = [sides.some(({ best }) => best) ? "Bold: the best on the validation images." : null];
  if (two) {
    notes.push("Below an accuracy: its 95 % interval; points: how much it changed. Gained: images that only the second "
      + "revision has wrong; lost: only the first. p: exact McNemar test, two-sided, corrected for the number of "
      + "models (Holm); below 0.05 the change is bold.");
    notes.push(...comparison.notes.map((note) => `${note}.`));
  } else notes.push("Calibration: how far the answers' confidence is from their accuracy, 0 to 1; 0 is best.");
  $("leaderboard-notes").append(...notes.filter(Boolean).map((note) => make("p", { className: "quiet" }, note)));
  if (two) $("leaderboard-notes").append(...changed(comparison));
  else $("leaderboard-notes").append(...Object.values(sides[0].refusals).map((why) => make("p", {}, why)));
}

function changed({ rows, shared }) { // what params.yaml says otherwise, and why predictions are not compared
  const items = rows.filter(({ refusal, recipe }) => refusal || recipe.length).map(({ model, refusal, recipe }) =>
    make("li", {}, make("strong", {}, model), `: ${[...recipe, refusal].filter(Boolean).join("; ")}`));
  if (shared.length) items.unshift(make("li", {}, make("strong", {}, "all"), `: ${shared.join("; ")}`));
  return items.length ? [make("h3", {}, "Changed in params.yaml"), make("ul", {}, ...items)] : [];
}

// ---- Models on and off.
const lines = () => {
  const on = new Set([...$("models").querySelectorAll("[name=model]:checked")].map((box) => box.value));
  const seen = two ? [...$("models").querySelectorAll("[name=side]:checked")].map((box) => box.value)
    : [sides[0].name];
  return models.filter((model) => on.has(model)).flatMap((model) => seen.map((side) => `${model}\n${side}`));
};

function box(name, value, ...inside) {
  return make("label", { className: "choice" },
    make("input", { type: "checkbox", name, value, checked: true, autocomplete: "off" }), ...inside);
}

function showChoices() {
  $("models").append(...models.map((model) => box("model", model, mark(model), " ", model)));
  if (two) {
    $("models").append(...sides.map((side, at) => box("side", side.name, `${at ? "───" : "╌╌╌"} ${side.name}`)));
  }
  $("models").addEventListener("change", () => {
    const shown = lines();
    Charts.show(shown);
    for (const matrix of document.querySelectorAll(".matrix")) matrix.hidden = !shown.includes(matrix.dataset.line);
  });
}
