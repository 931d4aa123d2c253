"use strict";
(() => {
  const DAY_MS = 86400000;
  const config = {displaylogo: false, responsive: true, displayModeBar: false};
  const isTouch = matchMedia("(pointer: coarse)").matches;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function theme() {
    return {
      "font.color": style("--text"),
      "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": innerWidth < 640 ? 11 : 12.5,
      "hoverlabel.bgcolor": style("--surface"),
      "hoverlabel.bordercolor": style("--muted"),
      "hoverlabel.font.color": style("--text"),
      "hoverlabel.align": "left",
    };
  }

  function layOut(layout) {
    const whole = {...layout, paper_bgcolor: "transparent", plot_bgcolor: "transparent"};
    // A finger scrolls the page; days are chosen from the list there.
    if (isTouch) {
      whole.dragmode = false;
      whole.xaxis = {...layout.xaxis, fixedrange: true};
    }
    return whole;
  }

  async function draw(chart) {
    if (chart.dataset.state) return;
    chart.dataset.state = "drawing";
    try {
      const figure = JSON.parse(document.querySelector(`[data-chart="${chart.id}"]`).textContent);
      await Plotly.newPlot(chart, figure.data, layOut(figure.layout), config);
      await Plotly.relayout(chart, theme());
      const course = chart.closest(".course");
      if (course) steer(course, chart);
      chart.dataset.state = "drawn";
    } catch (error) {
      chart.dataset.state = "failed";
      const told = document.createElement("p");
      told.className = "failed";
      told.textContent = "This chart could not be drawn; its figures are in the table.";
      chart.replaceChildren(told);
      console.error(error);
    }
  }

  // Charts are drawn when they come near the screen, so that the page opens at once.
  const nearby = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      nearby.unobserve(entry.target);
      draw(entry.target);
    }
  }, {rootMargin: "600px"});

  function steer(course, chart) {
    const chips = [...course.querySelectorAll("button.chip")];
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        const isShown = chip.getAttribute("aria-pressed") !== "true";
        chip.setAttribute("aria-pressed", String(isShown));
        const lines = indices(chart, (trace) => trace.legendgroup === chip.dataset.group);
        Plotly.restyle(chart, {visible: isShown}, lines);
      });
    }
    const days = course.querySelector("select");
    const whole = [...chart.layout.xaxis.range];
    days?.addEventListener("change", () => {
      const from = Number(days.value) * DAY_MS;
      Plotly.relayout(chart, {"xaxis.range": days.value === "" ? whole : [from, from + DAY_MS]});
    });
    const decisions = indices(chart, (trace) => trace.meta === "decisions");
    chart.on("plotly_relayout", () => {
      const {xaxis} = chart._fullLayout;
      const [from, until] = xaxis.range.map(xaxis.r2l);
      const isClose = until - from <= DAY_MS;
      if (decisions.length) Plotly.restyle(chart, {"marker.size": isClose ? 9 : 6}, decisions);
      if (days) days.value = choiceFor(from, until, whole);
    });
    readOut(course, chart);
  }

  // No day of the list, and so none of them shown as chosen, where somebody zoomed by hand.
  function choiceFor(from, until, whole) {
    if (from <= whole[0] && until >= whole[1]) return "";
    return until - from === DAY_MS ? String(from / DAY_MS) : "zoomed";
  }

  const indices = (chart, matches) => chart.data.flatMap((trace, i) => (matches(trace) ? [i] : []));

  // What each line stands at under the pointer. A step line has points only where it jumps, so
  // plotly's own hover would tell of the nearest jump instead.
  function readOut(course, chart) {
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.hidden = true;
    chart.append(cursor);
    const moment = course.querySelector(".moment");
    const outputs = readings(course, chart);
    const clear = () => {
      cursor.hidden = true;
      moment.textContent = "";
      for (const [output] of outputs) output.textContent = "";
    };
    chart.addEventListener("pointerleave", clear);
    chart.addEventListener("pointermove", (event) => {
      const {xaxis, _size: size} = chart._fullLayout;
      const x = event.clientX - chart.getBoundingClientRect().left;
      if (x < size.l || x > size.l + size.w) return clear();
      const at = xaxis.p2c(x - size.l);
      moment.textContent = say(at);
      for (const [output, valueAt] of outputs) output.textContent = valueAt(at);
      cursor.hidden = false;
      Object.assign(cursor.style, {left: `${x}px`, top: `${size.t}px`, height: `${size.h}px`});
    });
  }

  function readings(course, chart) {
    const group = (name) => chart.data.find(
      (trace) => trace.legendgroup === name &&
        (["provisioned", "signal"].includes(trace.meta) || trace.name === "demand"));
    return [...course.querySelectorAll(".chip")].map((chip) => {
      const trace = group(chip.dataset.group ?? "demand");
      const valueAt = trace.meta === "provisioned" ? step(trace) : bin(trace);
      return [chip.querySelector("output"), (at) => whole(valueAt(at))];
    });
  }

  const bin = ({y, x0, dx}) => (at) => y[Math.floor((at - x0) / dx + 0.5)];

  const step = ({x, y}) => (at) => {
    let low = 0;
    let high = x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (x[middle] <= at) low = middle + 1; else high = middle;
    }
    return y[low - 1];
  };

  const whole = (value) => (value == null ? "" : Math.round(value).toLocaleString("en"));

  function say(at) {
    const time = new Date(at).toISOString().slice(11, 16);
    return `day ${Math.floor(at / DAY_MS) + 1} ${time}, units/s`;
  }

  const charts = [...document.querySelectorAll(".chart")];
  for (const chart of charts) nearby.observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of charts) if (chart.dataset.state === "drawn") Plotly.relayout(chart, theme());
  });
})();
