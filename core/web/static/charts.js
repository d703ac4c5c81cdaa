/* Charts of report pages, drawn from the table behind each: one row a point, one column a line. The library is
   fetched when the first of them appears. Texts live in the templates. */
(() => {
  "use strict";

  const { matchMedia } = window;
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, listener) => document.addEventListener(type, listener);

  const drawn = new Map();
  let library = null;

  function read(figure) {
    const rows = all("tbody tr", figure);
    return {
      labels: rows.map((row) => one("th", row).textContent.trim()),
      lines: all("thead th[data-line]", figure).map((head, place) => ({
        name: head.textContent.trim(),
        colour: `--chart-${head.dataset.line}`,
        values: rows.map((row) => Number(row.querySelectorAll("td")[place].dataset.value)),
      })),
    };
  }

  function options(figure) {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    const text = { color: token("--text-2"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 };
    const number = new Intl.NumberFormat(document.documentElement.lang);
    const { labels, lines } = read(figure);
    const stacked = figure.dataset.chart === "stack";
    const bars = stacked || figure.dataset.chart === "bar";
    const hairline = { lineStyle: { color: token("--divider-strong") } };
    return {
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      aria: { enabled: true, label: { description: figure.dataset.said } },
      color: lines.map(({ colour }) => token(colour)),
      textStyle: text,
      grid: { left: 8, right: 16, top: 44, bottom: 8, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 16, itemHeight: 8, icon: "roundRect", textStyle: text },
      tooltip: {
        trigger: "axis",
        renderMode: "richText",
        backgroundColor: token("--surface"),
        borderColor: token("--divider-strong"),
        textStyle: { ...text, color: token("--text") },
        valueFormatter: (value) => number.format(value),
      },
      xAxis: { type: "category", data: labels, boundaryGap: bars, axisLabel: { ...text, hideOverlap: true, margin: 12, alignMinLabel: "left", alignMaxLabel: "right" }, axisLine: hairline, axisTick: { show: false } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { ...text, formatter: (value) => number.format(value) }, splitLine: hairline },
      series: lines.map(({ name, values }) => ({
        name, data: values, type: bars ? "bar" : "line", stack: stacked ? "all" : null, barMaxWidth: 28, symbol: "circle", symbolSize: 5, showSymbol: values.length < 40, lineStyle: { width: 2 },
      })),
    };
  }

  async function draw(figure) {
    const picture = one(".chart-picture", figure);
    drawn.set(figure, null);
    try {
      const { init } = await (library ??= import(figure.dataset.library));
      if (!figure.isConnected) return drawn.delete(figure);
      const chart = init(picture, null, { renderer: "canvas" });
      chart.setOption(options(figure));
      const watch = new ResizeObserver(() => chart.resize());
      watch.observe(picture);
      drawn.set(figure, { chart, watch });
      figure.classList.add("drawn");
    } catch {
      library = null;
      picture.hidden = true;
      one("details", figure).open = true;
    }
  }

  function look() {
    for (const [figure, made] of drawn) {
      if (figure.isConnected) continue;
      made?.watch.disconnect();
      made?.chart.dispose();
      drawn.delete(figure);
    }
    for (const figure of all("figure[data-chart]")) if (!drawn.has(figure)) draw(figure);
  }

  /* ── Files ─────────────────────────────────────────────────────────────────────────────── */
  function save(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function csv(figure) {
    const { labels, lines } = read(figure);
    const cell = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
    const head = [one("thead th", figure).textContent.trim(), ...lines.map(({ name }) => name)];
    const rows = labels.map((label, place) => [cell(label), ...lines.map(({ values }) => values[place])]);
    return `\ufeff${[head.map(cell), ...rows].map((row) => row.join(";")).join("\r\n")}\r\n`;
  }

  function png(chart) {
    const surface = getComputedStyle(document.documentElement).getPropertyValue("--surface").trim();
    const bytes = atob(chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: surface }).split(",")[1]);
    return new Blob([Uint8Array.from(bytes, (char) => char.charCodeAt(0))], { type: "image/png" });
  }

  on("click", ({ target }) => {
    const button = target.closest?.("[data-chart-file]");
    if (!button) return;
    const figure = button.closest("figure");
    const { chartFile: kind, name } = button.dataset;
    if (kind === "csv") save(`${name}.csv`, new Blob([csv(figure)], { type: "text/csv;charset=utf-8" }));
    else if (drawn.get(figure)) save(`${name}.png`, png(drawn.get(figure).chart));
  });

  /* ── The theme may change while a chart is seen ─────────────────────────────────────────── */
  const again = () => drawn.forEach((made, figure) => made?.chart.setOption(options(figure)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.head, { subtree: true, attributes: true, attributeFilter: ["media"] });

  on("htmx:after:settle", look);
  look();
})();
