// Draws the charts of a report into their elements of the page.

// --- The parts of a chart --------------------------------------------------------------------

const linear = (domain, range) => d3.scaleLinear().domain(domain).range(range);

function canvas(place, height, margin) {
  const width = Math.max(place.clientWidth, 200);
  const svg = d3.select(place).html("").append("svg").attr("height", height)
    .attr("viewBox", `0 0 ${width} ${height}`).attr("aria-hidden", "true");
  const x = linear(view, [margin.left, width - margin.right]);
  const clip = `clip-${charts.findIndex((chart) => chart.place === place)}`;
  svg.append("clipPath").attr("id", clip).append("rect")
    .attr("x", margin.left).attr("y", 0)
    .attr("width", Math.max(width - margin.left - margin.right, 0)).attr("height", height);
  const inner = svg.append("g").attr("clip-path", `url(#${clip})`);
  return { svg, inner, x, width, height, margin };
}

function timeAxis({ svg, x, width, height, margin }) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  const span = view[1] - view[0];
  const room = Math.max((width - margin.left - margin.right) / 62, 2);
  const step = steps.find((s) => span / s <= room) || 14400;
  const ticks = d3.range(Math.ceil(view[0] / step), Math.floor(view[1] / step) + 1).map((n) => n * step);
  svg.append("g").attr("transform", `translate(0,${height - margin.bottom})`)
    .call(d3.axisBottom(x).tickValues(ticks).tickSizeOuter(0).tickFormat((t) => clock(t, step < 1 ? 1 : 0)));
}

function levelAxis({ svg, margin }, y, ticks, format) {
  svg.append("g").attr("transform", `translate(${margin.left},0)`)
    .call(d3.axisLeft(y).tickValues(ticks).tickFormat(format).tickSizeOuter(0));
}

function frame({ svg, width, margin }, top, bottom) {
  svg.append("rect").attr("class", "frame").attr("x", margin.left).attr("y", top)
    .attr("width", width - margin.left - margin.right).attr("height", bottom - top);
}

function cursorLine({ inner, x }, top, bottom) {
  const line = inner.append("rect").attr("class", "cursor").attr("y", top)
    .attr("width", 3).attr("height", bottom - top);
  return () => line.attr("visibility", cursor === null ? "hidden" : null).attr("x", x(cursor || 0) - 1.5);
}

// The labels of a person as coloured cells, with their names where there is room.
function ribbon(inner, person, x, top, height) {
  for (const [first, last, label] of person.runs) {
    const [from, to] = [person.t[first], person.t[last]];
    if (to < view[0] || from > view[1]) continue;
    // A label holds until the next image, unless the person was away.
    const next = person.t[last + 1];
    const until = next !== undefined && next - to <= person.away ? next : to;
    const [left, right] = [Math.max(x(from), x.range()[0]), Math.min(x(until), x.range()[1])];
    const colour = data.colours[data.labels[label]];
    inner.append("rect").attr("class", "cell").attr("fill", colour)
      .attr("x", left).attr("y", top).attr("width", Math.max(right - left, 1)).attr("height", height);
    const name = data.labels[label];
    if (height >= 16 && right - left > 8 * name.length + 8) {
      inner.append("text").attr("x", left + 5).attr("y", top + height / 2).attr("dy", "0.35em")
        .style("fill", inkOn(colour)).text(name);
    }
  }
}

function inkOn(colour) {
  const { r, g, b } = d3.rgb(colour);
  return 0.299 * r + 0.587 * g + 0.114 * b > 115 ? DARK_INK : LIGHT_INK;
}

// --- The charts ------------------------------------------------------------------------------

function drawOverview(place) {
  const row = 20, gap = 26;
  const margin = { left: 1, right: 1, top: 20, bottom: 22 };
  const shorts = streams.filter((stream) => stream.short.length).map(({ name, short }) => ({
    name: `${short.length} track${short.length > 1 ? "s" : ""} shorter than ${Number(data.short.toPrecision(2))} s`
      + (streams.length > 1 ? `, ${name}` : ""),
    tracks: short,
  }));
  const rows = [...people.map((person) => ({ name: person.name, tracks: [person] })), ...shorts];
  const height = margin.top + rows.length * (row + gap) - gap + 8 + margin.bottom;
  const shown = view;
  view = whole; // the overview always shows everything
  const chart = canvas(place, height, margin);
  rows.forEach(({ name, tracks }, n) => {
    const top = margin.top + n * (row + gap);
    chart.svg.append("text").attr("class", "name").attr("x", 1).attr("y", top - 6).text(name);
    for (const track of tracks) ribbon(chart.inner, track, chart.x, top, row);
    frame(chart, top, top + row);
  });
  timeAxis(chart);
  view = shown;
  const brush = d3.brushX().extent([[margin.left, 0], [chart.width - margin.right, height - margin.bottom]]);
  const layer = chart.svg.append("g").call(brush);
  const zoomed = view[0] > 0 || view[1] < end;
  if (zoomed) layer.call(brush.move, view.map(chart.x));
  brush.on("end", (event) => {
    if (!event.sourceEvent) return;
    const chosen = event.selection;
    if (chosen) show(chosen.map(chart.x.invert));
    else if (players.length) go(chart.x.invert(d3.pointer(event.sourceEvent, chart.svg.node())[0]));
    else show(whole);
  });
  const moveCursor = cursorLine(chart, margin.top - 4, height - margin.bottom);
  return { ...chart, moveCursor };
}

function drawEmotions(place, person) {
  const margin = { left: 42, right: 1, top: 0, bottom: 22 };
  const strip = 20, top = strip + 5, height = 200;
  const chart = canvas(place, height, margin);
  const bottom = height - margin.bottom;
  const y = linear([0, 1], [bottom, top]);
  ribbon(chart.inner, person, chart.x, 0, strip);
  frame(chart, 0, strip);
  const rows = groups(person, chart.x).map((group) => {
    if (group === null) return null;
    const means = d3.range(EMOTIONS).map((e) => summary(group, (i) => person.p[EMOTIONS * i + e]).mean);
    const total = d3.sum(means) || 1;
    let level = 1; // from the top down, in the order of the legend
    const levels = [1, ...means.map((mean) => (level -= mean / total))];
    return { time: (person.t[group[0]] + person.t[group[1]]) / 2, levels };
  });
  const area = d3.area().defined((row) => row !== null).x((row) => chart.x(row.time));
  for (let e = 0; e < EMOTIONS; e += 1) {
    chart.inner.append("path").attr("fill", data.colours[data.labels[e]])
      .attr("d", area.y0((row) => y(row.levels[e])).y1((row) => y(row.levels[e + 1]))(rows));
  }
  // Lines between the areas, unless they change so fast that the lines would hide them.
  const calm = d3.bisectRight(person.t, view[1]) - d3.bisectLeft(person.t, view[0]) < 4 * chart.width;
  for (let e = 1; calm && e < EMOTIONS; e += 1) {
    chart.inner.append("path").attr("class", "split").attr("d", area.lineY1().y((row) => y(row.levels[e]))(rows));
  }
  frame(chart, top, bottom);
  levelAxis(chart, y, [0, 0.5, 1], percent);
  timeAxis(chart);
  return { ...chart, moveCursor: cursorLine(chart, 0, bottom) };
}

function drawAffect(place, person) {
  const margin = { left: 42, right: 1, top: 6, bottom: 22 };
  const height = 140;
  const chart = canvas(place, height, margin);
  const bottom = height - margin.bottom;
  const y = linear([-1, 1], [bottom, margin.top]);
  const found = groups(person, chart.x);
  const time = (group) => chart.x((person.t[group[0]] + person.t[group[1]]) / 2);
  const area = d3.area().defined((row) => row !== null).x((row) => row.x);
  [["up", 1, 1], ["down", 2, -1]].forEach(([name, polarity, sign]) => {
    const rows = found.map((group) => group && {
      x: time(group), level: sign * summary(group, (i) => polarityOf(person, i, polarity)).mean,
    });
    chart.inner.append("path").attr("class", name)
      .attr("d", area.y0(y(0)).y1((row) => y(row.level))(rows));
  });
  chart.inner.append("line").attr("class", "zero").attr("x1", margin.left).attr("x2", chart.width)
    .attr("y1", y(0)).attr("y2", y(0));
  ["valence", "arousal"].forEach((name, n) => {
    const rows = found.map((group) => {
      const extent = group && summary(group, (i) => affect(person, i, n));
      return extent && { x: time(group), ...extent };
    });
    chart.inner.append("path").attr("class", `band ${name}`)
      .attr("d", area.y0((row) => y(row.low)).y1((row) => y(row.high))(rows));
    chart.inner.append("path").attr("class", name).attr("d", area.lineY1().y((row) => y(row.mean))(rows));
  });
  frame(chart, margin.top, bottom);
  levelAxis(chart, y, [-1, 0, 1], (v) => (v ? signed(v).replace(".00", "") : "0"));
  timeAxis(chart);
  return { ...chart, moveCursor: cursorLine(chart, margin.top, bottom) };
}

function drawLatency(place, stream) {
  const margin = { left: 60, right: 1, top: 14, bottom: 22 };
  const height = 170;
  const chart = canvas(place, height, margin);
  const bottom = height - margin.bottom;
  const known = Array.from(stream.latency).filter((v) => v !== NO_LATENCY).map((v) => v / 10).sort(d3.ascending);
  if (known.length) {
    const [median, most] = [d3.quantile(known, 0.5), known[known.length - 1]];
    const wide = most > 10 * median && known[0] > 0;
    const y = (wide ? d3.scaleLog() : d3.scaleLinear())
      .domain(wide ? [known[0], most] : [0, most * 1.05 || 1]).range([bottom, margin.top]).nice();
    const found = groups({ t: stream.t, away: Infinity }, chart.x).map((group) => {
      const extent = summary(group, (i) => (stream.latency[i] === NO_LATENCY ? null : stream.latency[i] / 10));
      return extent && { x: chart.x((stream.t[group[0]] + stream.t[group[1]]) / 2), ...extent };
    });
    const area = d3.area().defined((row) => row !== null).x((row) => row.x);
    chart.inner.append("path").attr("class", "band valence")
      .attr("d", area.y0((row) => y(row.low)).y1((row) => y(row.high))(found));
    chart.inner.append("path").attr("class", "latency").attr("d", area.lineY1().y((row) => y(row.mean))(found));
    const ticks = wide ? y.ticks().filter((v) => /^[125]/.test(String(v).replace(/^[0.]+/, ""))) : y.ticks(4);
    levelAxis(chart, y, ticks, (v) => `${v} ms`);
  }
  for (const [at] of stream.gaps) {
    if (at < view[0] || at > view[1]) continue;
    chart.inner.append("line").attr("class", "missing").attr("x1", chart.x(at)).attr("x2", chart.x(at))
      .attr("y1", 0).attr("y2", 10);
  }
  frame(chart, margin.top, bottom);
  timeAxis(chart);
  return { ...chart, moveCursor: cursorLine(chart, margin.top, bottom) };
}
