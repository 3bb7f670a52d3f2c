// Fills the page of the report.

$("sides").append(...sides.map((side) => make("p", {}, make("strong", {}, side.name), " ",
  make("code", {}, side.commit.slice(0, 7)), ` of ${side.date}`,
  side.changes?.length ? `, with ${side.changes.length} changed ${side.changes.length === 1 ? "file" : "files"}` : "")));
showLeaderboard();
showChoices();
showMatrices();
showFilters();
showData();
showOrigin();
colourMarks();
Charts.dark.addEventListener("change", colourMarks);
Charts.start($("charts"), content.charts, content.curves, lines);
