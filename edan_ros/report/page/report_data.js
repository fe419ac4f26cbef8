// Unpacks the data of a report from the JSON in #data (see packing.py) and summarises them.
// The files report_*.js are joined into one function of the page.
const data = JSON.parse(document.getElementById("data").textContent);
const EMOTIONS = data.labels.length - 1; // the last label is "unknown"
const NOT_KNOWN = -128;
const NO_LATENCY = 65535;
const DARK_INK = "#15181c", LIGHT_INK = "#ffffff";

function bytes(text) {
  const letters = atob(text);
  const values = new Uint8Array(letters.length);
  for (let i = 0; i < values.length; i += 1) values[i] = letters.charCodeAt(i);
  return values;
}
const seconds = (text) => Float64Array.from(new Uint32Array(bytes(text).buffer)).map((t) => data.tick * t / 1000);
const people = [];
const streams = data.streams.map((stream, number) => {
  const unpacked = {
    ...stream,
    t: seconds(stream.t),
    latency: new Uint16Array(bytes(stream.latency).buffer),
  };
  const unpackedTrack = (track) => {
    const here = {
      number: track.number,
      away: stream.away,
      t: seconds(track.t),
      l: bytes(track.l),
      u: bytes(track.u),
      b: track.b && new Int16Array(bytes(track.b).buffer),
    };
    return { ...here, runs: runsOf(here) };
  };
  const others = stream.others.map((track) => ({ ...unpackedTrack(track), short: track.short }));
  const own = stream.tracks.map((track) => {
    const card = document.querySelector(`.person[data-key="${number}-${track.number}"]`);
    return {
      ...unpackedTrack(track),
      p: bytes(track.p),
      a: new Int8Array(bytes(track.a).buffer),
      card,
      name: card.querySelector("h2").textContent,
    };
  });
  people.push(...own);
  return { ...unpacked, everyone: [...own, ...others], short: others.filter((track) => track.short) };
});

const end = Math.max(data.seconds, 0.001);
const whole = [0, end];
let view = whole; // seconds shown
let cursor = null; // seconds
let drawing = 0;
const reset = document.getElementById("reset"); // absent without people
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
const signed = (value) => (value <= -0.005 ? "−" : "+") + Math.abs(value).toFixed(2);

// The label of a sample, of the unknown with its reason.
function labelOf(person, i) {
  const reason = data.reasons[person.u[i]];
  return data.labels[person.l[i]] + (person.l[i] === EMOTIONS && reason ? ` (${reason})` : "");
}

// The index of the sample nearest to a time.
function nearest(times, time) {
  const after = d3.bisectLeft(times, time);
  if (after === 0) return 0;
  if (after === times.length) return after - 1;
  return time - times[after - 1] < times[after] - time ? after - 1 : after;
}

// Runs of one label in view without a break: [first, last, label].
function runsOf({ t, l, away }) {
  const runs = [];
  for (let i = 0; i < t.length; i += 1) {
    if (i === 0 || l[i] !== l[i - 1] || t[i] - t[i - 1] > away) runs.push([i, i, l[i]]);
    else runs[runs.length - 1][1] = i;
  }
  return runs;
}

// The samples in view for a person's chart: groups of neighbours that share a pixel, null where
// the person was away.
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

// Mean, minimum and maximum of a value over a group; null without any known one.
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
