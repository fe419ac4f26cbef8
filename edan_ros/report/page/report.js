"use strict";
// Draws the charts of a report. Everything shown comes from the JSON in #data; see packing.py.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const EMOTIONS = data.labels.length - 1; // the last label is the unknown
  const NOT_KNOWN = -128;
  const NO_LATENCY = 65535;
  const DARK_INK = "#15181c", LIGHT_INK = "#ffffff";

  function bytes(text) {
    const letters = atob(text);
    const values = new Uint8Array(letters.length);
    for (let i = 0; i < values.length; i += 1) values[i] = letters.charCodeAt(i);
    return values;
  }
  const seconds = (text) => Float64Array.from(new Uint32Array(bytes(text).buffer)).map((ms) => ms / 1000);
  const people = [];
  const streams = data.streams.map((stream, number) => {
    const unpacked = {
      ...stream,
      t: seconds(stream.t),
      latency: new Uint16Array(bytes(stream.latency).buffer),
    };
    for (const track of stream.tracks) {
      const key = `${number}-${track.number}`;
      people.push({
        key,
        away: stream.away,
        t: seconds(track.t),
        l: bytes(track.l),
        p: bytes(track.p),
        a: new Int8Array(bytes(track.a).buffer),
        card: document.querySelector(`.person[data-key="${key}"]`),
      });
    }
    return unpacked;
  });
  for (const person of people) {
    person.name = person.card.querySelector("h2").textContent;
    person.runs = runsOf(person);
  }

  const end = Math.max(data.seconds, 0.001);
  const whole = [0, end];
  let view = whole; // seconds shown
  let cursor = null; // seconds pointed at
  let drawing = 0;
  const reset = document.getElementById("reset");
  const charts = [];

  // --- Times and numbers -----------------------------------------------------------------------

  function clock(time, digits = 1) {
    if (end < 60) return `${time.toFixed(digits)} s`;
    const rounded = Number(time.toFixed(digits));
    const minutes = Math.floor(rounded / 60);
    const rest = (rounded - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    if (minutes < 60) return `${minutes}:${rest}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  }
  const percent = (share) => `${Math.round(100 * share)} %`;
  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

  // The index of the sample nearest to a time.
  function nearest(times, time) {
    const after = d3.bisectLeft(times, time);
    if (after === 0) return 0;
    if (after === times.length) return after - 1;
    return time - times[after - 1] < times[after] - time ? after - 1 : after;
  }

  // Stretches of one label in view without a break: [first, last, label].
  function runsOf({ t, l, away }) {
    const runs = [];
    for (let i = 0; i < t.length; i += 1) {
      if (i === 0 || l[i] !== l[i - 1] || t[i] - t[i - 1] > away) runs.push([i, i, l[i]]);
      else runs[runs.length - 1][1] = i;
    }
    return runs;
  }

  // What a person's chart needs of the samples in view: groups of neighbours that share a pixel,
  // with a null where the person was away.
  function groups(person, x) {
    const { t, away } = person;
    const first = Math.max(d3.bisectLeft(t, view[0]) - 1, 0);
    const last = Math.min(d3.bisectRight(t, view[1]) + 1, t.length);
    const found = [];
    let pixel = NaN;
    for (let i = first; i < last; i += 1) {
      const broken = i > first && t[i] - t[i - 1] > away;
      if (broken) found.push(null);
      const here = Math.round(x(t[i]));
      if (broken || here !== pixel) found.push([i, i]);
      else found[found.length - 1][1] = i;
      pixel = here;
    }
    return found;
  }

  // A group as mean, smallest and largest of a value; null without any that is known.
  function summary(group, value) {
    let [sum, count, low, high] = [0, 0, Infinity, -Infinity];
    for (let i = group[0]; i <= group[1]; i += 1) {
      const v = value(i);
      if (v === null) continue;
      sum += v;
      count += 1;
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
    return count ? { mean: sum / count, low, high } : null;
  }

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
    const line = inner.append("line").attr("class", "cursor").attr("y1", top).attr("y2", bottom);
    return () => line.attr("visibility", cursor === null ? "hidden" : null)
      .attr("x1", x(cursor || 0)).attr("x2", x(cursor || 0));
  }

  // The person's labels as cells of colour, with their names where there is room.
  function ribbon(inner, person, x, top, height) {
    for (const [first, last, label] of person.runs) {
      const [from, to] = [person.t[first], person.t[last]];
      if (to < view[0] || from > view[1]) continue;
      // A label holds until the next image, if that one comes in time.
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
    const height = margin.top + people.length * (row + gap) - gap + 8 + margin.bottom;
    const shown = view;
    view = whole; // the strip always has everything
    const chart = canvas(place, height, margin);
    people.forEach((person, n) => {
      const top = margin.top + n * (row + gap);
      chart.svg.append("text").attr("class", "name").attr("x", 1).attr("y", top - 6).text(person.name);
      ribbon(chart.inner, person, chart.x, top, row);
      frame(chart, top, top + row);
    });
    timeAxis(chart);
    view = shown;
    const brush = d3.brushX().extent([[margin.left, 0], [chart.width - margin.right, height - margin.bottom]]);
    const layer = chart.svg.append("g").call(brush);
    const zoomed = view[0] > 0 || view[1] < end;
    if (zoomed) layer.call(brush.move, view.map(chart.x));
    brush.on("end", () => {
      if (!d3.event.sourceEvent) return;
      const chosen = d3.event.selection;
      show(chosen ? chosen.map(chart.x.invert) : whole);
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
      let level = 0;
      const levels = [0, ...means.map((mean) => (level += mean / total))];
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
        const told = group && summary(group, (i) => affect(person, i, n));
        return told && { x: time(group), ...told };
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
        const told = summary(group, (i) => (stream.latency[i] === NO_LATENCY ? null : stream.latency[i] / 10));
        return told && { x: chart.x((stream.t[group[0]] + stream.t[group[1]]) / 2), ...told };
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

  // --- What is told of one moment --------------------------------------------------------------

  function affect(person, i, which) {
    const value = person.a[2 * i + which];
    return value === NOT_KNOWN ? null : value / 127;
  }

  function polarityOf(person, i, polarity) {
    let sum = 0;
    for (let e = 0; e < EMOTIONS; e += 1) {
      if (data.polarityOf[e] === polarity) sum += person.p[EMOTIONS * i + e] / 255;
    }
    return sum;
  }

  // The sample that the cursor points at; null where the person is not in view.
  function pointedAt(person) {
    if (cursor === null) return null;
    const i = nearest(person.t, cursor);
    return Math.abs(person.t[i] - cursor) > person.away ? null : i;
  }

  function readOut(person) {
    const i = pointedAt(person);
    const place = person.card.querySelector(".readout");
    let when, label, share, also;
    if (cursor === null) {
      const from = d3.bisectLeft(person.t, view[0]), to = d3.bisectRight(person.t, view[1]);
      const mean = (value) => {
        const told = to > from ? summary([from, to - 1], value) : null;
        return told ? told.mean : null;
      };
      when = `mean of ${clock(view[0])} to ${clock(view[1])}`;
      label = `${to - from} image${to - from === 1 ? "" : "s"}`;
      share = (e) => (mean((n) => person.p[EMOTIONS * n + e]) || 0) / 255;
      also = [0, 1].map((which) => mean((n) => affect(person, n, which)));
    } else {
      when = i === null ? clock(cursor, 2) : clock(person.t[i], 2);
      label = i === null ? "not in view" : data.labels[person.l[i]];
      share = (e) => (i === null ? 0 : person.p[EMOTIONS * i + e] / 255);
      also = [0, 1].map((which) => (i === null ? null : affect(person, i, which)));
    }
    d3.select(place).html("");
    const box = d3.select(place);
    box.append("div").attr("class", "when").text(when);
    const title = box.append("div").attr("class", "label");
    if (data.colours[label]) title.append("i").style("background", data.colours[label]);
    title.append("span").text(label);
    // The order of the stack, from top to bottom.
    for (let e = EMOTIONS - 1; e >= 0; e -= 1) {
      const row = box.append("div").attr("class", "row");
      row.append("span").text(data.labels[e]);
      row.append("span").attr("class", "bar").append("b")
        .style("width", `${100 * share(e)}%`).style("background", data.colours[data.labels[e]]);
      row.append("span").attr("class", "value").text(percent(share(e)));
    }
    const [valence, arousal] = also.map((value) => (value === null ? "–" : signed(value)));
    box.append("div").attr("class", "also").text(`valence ${valence}, arousal ${arousal}`);
  }

  function readLatency(stream, number) {
    const line = document.querySelector(`.readline[data-stream="${number}"]`);
    if (!line) return;
    if (cursor === null || !stream.t.length) {
      line.textContent = "Point at the chart to read one image.";
      return;
    }
    const i = nearest(stream.t, cursor);
    const latency = stream.latency[i] === NO_LATENCY ? "latency not known" : `${(stream.latency[i] / 10).toFixed(1)} ms`;
    const gap = stream.gaps.find(([at, , long]) => cursor > at - long && cursor < at);
    line.textContent = `${clock(stream.t[i], 2)}: ${latency}` +
      (gap ? `, ${gap[1]} image${gap[1] > 1 ? "s" : ""} missing before ${clock(gap[0], 2)}` : "");
  }

  // --- Looking closer --------------------------------------------------------------------------

  function show(range) {
    const least = Math.min(0.5, end);
    const span = Math.min(Math.max(range[1] - range[0], least), end);
    const from = Math.min(Math.max((range[0] + range[1] - span) / 2, 0), end - span);
    view = span >= end * 0.999 ? whole : [from, from + span];
    if (reset) reset.hidden = view === whole;
    redraw();
  }

  function point(time) {
    cursor = time === null ? null : Math.min(Math.max(time, 0), end);
    if (cursor !== null && (cursor < view[0] || cursor > view[1])) {
      const half = (view[1] - view[0]) / 2;
      show([cursor - half, cursor + half]);
    }
    moved();
  }

  function moved() {
    for (const chart of charts) if (chart.moveCursor) chart.moveCursor();
    people.forEach(readOut);
    streams.forEach(readLatency);
  }

  function redraw() {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(() => {
      for (const chart of charts) Object.assign(chart, chart.draw(chart.place));
      moved();
    });
  }

  function onKey(event, chart) {
    const times = chart.times;
    const middle = cursor === null ? (view[0] + view[1]) / 2 : cursor;
    const step = (sign) => {
      if (cursor === null || !times.length) return times.length ? times[nearest(times, view[0])] : view[0];
      if (event.shiftKey) return cursor + sign;
      const next = times[nearest(times, cursor) + sign];
      return next === undefined ? cursor : next;
    };
    const zoom = (factor) => show(view.map((t) => middle + (t - middle) * factor));
    const actions = {
      ArrowRight: () => point(step(1)),
      ArrowLeft: () => point(step(-1)),
      Home: () => point(view[0]),
      End: () => point(view[1]),
      "+": () => zoom(0.5),
      "=": () => zoom(0.5),
      "-": () => zoom(2),
      Escape: () => { point(null); show(whole); },
    };
    const act = actions[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    document.getElementById("spoken").textContent = spoken(chart);
  }

  function spoken(chart) {
    if (cursor === null) return `${clock(view[0])} to ${clock(view[1])}`;
    if (!chart.person) return document.querySelector(`.readline[data-stream="${chart.number}"]`).textContent;
    const i = pointedAt(chart.person);
    if (i === null) return `${clock(cursor, 2)}: not in view`;
    const most = d3.max(chart.person.p.subarray(EMOTIONS * i, EMOTIONS * (i + 1))) / 255;
    return `${clock(chart.person.t[i], 2)}: ${data.labels[chart.person.l[i]]}, strongest ${percent(most)}`;
  }

  function add(place, draw, more = {}) {
    const chart = { place, draw, times: [], ...more };
    charts.push(chart);
    if (place.id === "overview") return;
    const follow = (event) => {
      const box = place.getBoundingClientRect();
      point(chart.x.invert(Math.min(Math.max(event.clientX - box.left, chart.x.range()[0]), chart.x.range()[1])));
    };
    place.addEventListener("pointermove", follow);
    place.addEventListener("pointerdown", follow);
    place.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
    place.addEventListener("keydown", (event) => onKey(event, chart));
  }

  if (people.length) add(document.getElementById("overview"), drawOverview);
  for (const person of people) {
    const { card, t: times } = person;
    add(card.querySelector(".emotions"), (place) => drawEmotions(place, person), { person, times });
    add(card.querySelector(".affect"), (place) => drawAffect(place, person), { person, times });
  }
  streams.forEach((stream, number) => {
    const place = document.querySelector(`.latency[data-stream="${number}"]`);
    if (place) add(place, () => drawLatency(place, stream), { times: stream.t, number });
  });
  for (const button of document.querySelectorAll(".thumbnails button")) {
    button.addEventListener("click", () => point(Number(button.dataset.time)));
  }

  if (reset) reset.addEventListener("click", () => show(whole));
  new ResizeObserver(redraw).observe(document.body);
})();
