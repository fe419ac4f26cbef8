// Shows the values at the cursor; cursor and zoom by mouse, touch and keyboard.

// --- Values at the cursor -----------------------------------------------------------------------

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

// The sample at the cursor; null where the person is not in view.
function pointedAt(person) {
  if (cursor === null) return null;
  const i = nearest(person.t, cursor);
  return Math.abs(person.t[i] - cursor) > person.away ? null : i;
}

function readOut(person) {
  const i = pointedAt(person);
  let when, label, share, also, colour = null;
  if (cursor === null) {
    const from = d3.bisectLeft(person.t, view[0]), to = d3.bisectRight(person.t, view[1]);
    const mean = (value) => {
      const extent = to > from ? summary([from, to - 1], value) : null;
      return extent ? extent.mean : null;
    };
    when = `mean of ${clock(view[0])} to ${clock(view[1])}`;
    label = `${to - from} image${to - from === 1 ? "" : "s"}`;
    share = (e) => (mean((n) => person.p[EMOTIONS * n + e]) || 0) / 255;
    also = [0, 1].map((which) => mean((n) => affect(person, n, which)));
  } else {
    when = i === null ? clock(cursor, 2) : clock(person.t[i], 2);
    label = i === null ? "not in view" : labelOf(person, i);
    colour = i === null ? null : data.colours[data.labels[person.l[i]]];
    share = (e) => (i === null ? 0 : person.p[EMOTIONS * i + e] / 255);
    also = [0, 1].map((which) => (i === null ? null : affect(person, i, which)));
  }
  const fields = (person.fields ??= readoutOf(person.card.querySelector(".readout")));
  fields.when.textContent = when;
  fields.label.textContent = label;
  fields.swatch.hidden = !colour;
  fields.swatch.style.background = colour || "none";
  fields.rows.forEach(({ bar, value }, e) => {
    bar.style.width = `${100 * share(e)}%`;
    value.textContent = percent(share(e));
  });
  const [valence, arousal] = also.map((value) => (value === null ? "–" : signed(value)));
  fields.also.textContent = `valence ${valence}, arousal ${arousal}`;
}

function readoutOf(place) {
  const add = (parent, tag, name = "") => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    return parent.appendChild(element);
  };
  const when = add(place, "div", "when");
  const title = add(place, "div", "label");
  const [swatch, label] = [add(title, "i"), add(title, "span")];
  const rows = d3.range(EMOTIONS).map((e) => {
    const row = add(place, "div", "row");
    add(row, "span").textContent = data.labels[e];
    const bar = add(add(row, "span", "bar"), "b");
    bar.style.background = data.colours[data.labels[e]];
    return { bar, value: add(row, "span", "value") };
  });
  return { when, swatch, label, rows, also: add(place, "div", "also") };
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

// --- Cursor and zoom ------------------------------------------------------------------------

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

// Moves the cursor, and the videos with it.
function go(time) {
  point(time);
  for (const player of players) player.seek(cursor);
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
    for (const player of players) player.draw();
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
    ArrowRight: () => go(step(1)),
    ArrowLeft: () => go(step(-1)),
    Home: () => go(view[0]),
    End: () => go(view[1]),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    Escape: () => { rest(); show(whole); },
    ...(players.length && { " ": () => players[0].toggle() }),
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
  const strongest = chart.person.l[i] === EMOTIONS ? "" : `, strongest ${percent(most)}`;
  return `${clock(chart.person.t[i], 2)}: ${labelOf(chart.person, i)}${strongest}`;
}

function add(place, draw, more = {}) {
  const chart = { place, draw, times: [], ...more };
  charts.push(chart);
  if (place.id === "overview") return;
  const timeAt = (event) => {
    const [from, to] = chart.x.range();
    const left = event.clientX - place.getBoundingClientRect().left;
    return chart.x.invert(Math.min(Math.max(left, from), to));
  };
  place.addEventListener("pointermove", (event) => {
    if (event.buttons) go(timeAt(event));
    else if (!players.some((player) => player.playing)) point(timeAt(event));
  });
  place.addEventListener("pointerdown", (event) => go(timeAt(event)));
  place.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && rest());
  place.addEventListener("keydown", (event) => onKey(event, chart));
}

if (document.getElementById("overview")) add(document.getElementById("overview"), drawOverview);
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
  button.addEventListener("click", () => go(Number(button.dataset.time)));
}

if (reset) reset.addEventListener("click", () => show(whole));
new ResizeObserver(redraw).observe(document.body);
