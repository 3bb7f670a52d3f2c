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

function showLeaderboard() {
  $("leaderboard-table").append(leaderboardOfOne(sides[0]));
  const best = sides.map((side) => side.best).filter(Boolean);
  $("leaderboard-note").textContent = best.length ? "Bold: the best on the validation images." : "";
}

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
