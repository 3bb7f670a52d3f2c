// The curves: Vega-Lite charts in the colours of the page, that move, zoom, and show some models or all.

const Charts = (() => {
  const LIGHT = ["#1f5fd0", "#c2410c", "#0f7b5f", "#9333a8", "#946200", "#be185d", "#0e7490", "#4b5563"];
  const DARK = ["#8db4ff", "#fb9a5c", "#4fd1a5", "#d59cf0", "#e3b341", "#f78fb8", "#5cc8de", "#b4bac4"];
  const SHAPES = [
    ["circle", "●"], ["square", "■"], ["triangle-up", "▲"], ["diamond", "◆"], ["cross", "✚"], ["triangle-down", "▼"],
    ["triangle-right", "▶"], ["triangle-left", "◀"],
  ];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = []; // {column, spec, view, host}

  const colour = (number) => (dark.matches ? DARK : LIGHT)[number % LIGHT.length];
  const glyph = (number) => SHAPES[number % SHAPES.length][1];

  function config() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const axis = {
      labelColor: of("--quiet"), titleColor: of("--quiet"), gridColor: of("--track"), domainColor: of("--line"),
      tickColor: of("--line"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
    };
    return {
      background: null, font: "system-ui, sans-serif", view: { stroke: null }, axis,
      range: { category: dark.matches ? DARK : LIGHT, symbol: SHAPES.map(([name]) => name) },
    };
  }

  async function draw(chart, rows, shown) {
    chart.view?.finalize();
    const spec = { ...chart.spec, data: { values: rows.filter((row) => row[chart.column] !== undefined) } };
    spec.params = spec.params.map((param) => param.name === "shown" ? { ...param, value: shown } : param);
    const options = {
      actions: false, renderer: "svg", config: config(), tooltip: { theme: dark.matches ? "dark" : "light" },
    };
    chart.view = (await vegaEmbed(chart.host, spec, options)).view;
    chart.host.dataset.drawn = "";
  }

  function zoom(chart, factor) { // of both axes, round the middle of what is seen
    const { view, column } = chart;
    for (const [axis, field] of [["x", "images_seen"], ["y", column]]) {
      const scale = view.scale(axis), [low, high] = factor ? scale.range() : [0, 0], middle = (low + high) / 2;
      const ends = [low, high].map((place) => scale.invert(middle + (place - middle) / factor));
      view.signal(`zoom_${field}`, factor ? ends : null);
    }
    return view.runAsync();
  }

  function button(text, label, act) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: text, title: label, ariaLabel: label });
    made.addEventListener("click", act);
    return made;
  }

  function keepWheel(host) { // it turns the page, until a click gives it to the chart; else nobody could scroll past
    let given = false;
    host.addEventListener("pointerdown", () => { given = true; });
    host.addEventListener("pointerleave", () => { given = false; });
    host.addEventListener("wheel", (event) => {
      if (!given && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    }, { capture: true, passive: true });
  }

  function frame(parent, column, spec) {
    const title = spec.description.replace(/ by images seen$/, "");
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const heading = document.createElement("h3"), tools = document.createElement("div");
    const chart = { column, spec, view: null, host: document.createElement("div") };
    heading.textContent = title;
    tools.append(
      button("−", `Zoom out: ${title}`, () => zoom(chart, 1 / 1.5)),
      button("+", `Zoom in: ${title}`, () => zoom(chart, 1.5)),
      button("All", `Show all: ${title}`, () => zoom(chart, null)),
    );
    caption.append(heading, tools);
    chart.host.className = "chart";
    chart.host.dataset.column = column;
    keepWheel(chart.host);
    figure.append(caption, chart.host);
    parent.append(figure);
    return chart;
  }

  function start(parent, specs, rows, shown) {
    for (const [column, spec] of Object.entries(specs)) {
      if (rows.some((row) => row[column] !== undefined)) drawn.push(frame(parent, column, spec));
    }
    const all = () => Promise.all(drawn.map((chart) => draw(chart, rows, shown())));
    dark.addEventListener("change", all);
    return all();
  }

  const show = (lines) => drawn.forEach(({ view }) => view?.signal("shown", lines).runAsync());

  return { start, show, colour, glyph, dark };
})();
