// Fills the page of the report.

function named({ name, commit, date, changes: list }) {
  const changed = list?.length ? `, with ${list.length} changed ${list.length === 1 ? "file" : "files"}` : "";
  return make("p", {}, make("strong", {}, name), " ", make("code", {}, commit.slice(0, 7)), ` of ${date}${changed}`);
}

$("sides").append(...sides.map(named));
showLeaderboard();
showChoices();
showMatrices();
showFilters();
showData();
showOrigin();
colourMarks();
Charts.dark.addEventListener("change", colourMarks);
Charts.start($("charts"), content.charts, content.curves, lines);
