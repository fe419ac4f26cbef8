"use strict";
// Polls the newest state from the server and shows it; see live.py.
(() => {
  const LABELS = JSON.parse(document.getElementById("labels").textContent);
  const EMOTIONS = LABELS.slice(0, -1);
  const style = getComputedStyle(document.documentElement);
  const COLOURS = EMOTIONS.map((label) => style.getPropertyValue(`--${label}`));
  const HISTORY = 30; // seconds of probabilities that are shown
  const EVERY = 100; // milliseconds between two requests
  const OLD = 2; // seconds after which a result is out of date
  const cameras = new Map();
  const place = (id) => document.getElementById(id);

  function make(parent, tag, name = "", text = "") {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.textContent = text;
    parent.append(element);
    return element;
  }
  const percent = (share) => `${Math.round(100 * share)} %`;
  const signed = (value) => (value === null ? "–" : (value <= -0.005 ? "−" : "+") + Math.abs(value).toFixed(2));

  function cameraOf(data) {
    if (cameras.has(data.number)) return cameras.get(data.number);
    const section = make(place("cameras"), "section", "camera");
    const title = make(section, "h2", "", data.name);
    const camera = { section, figures: make(title, "small"), shown: -1, faces: new Map() };
    camera.picture = make(section, "div", "picture");
    camera.waiting = make(camera.picture, "p", "", "Waiting for the first image …");
    camera.list = make(section, "div", "faces");
    camera.nobody = make(camera.list, "p", "", "No face in view.");
    cameras.set(data.number, camera);
    return camera;
  }

  function showPicture(camera, data) {
    if (data.size) camera.picture.style.aspectRatio = `${data.size[0]} / ${data.size[1]}`;
    if (data.images === camera.shown || camera.loading || !data.images) return;
    camera.loading = true;
    const image = new Image();
    image.alt = `The image of ${data.name} with the faces drawn in`;
    image.onload = () => {
      camera.loading = false;
      camera.shown = data.images;
      camera.picture.replaceChildren(image);
      for (const face of camera.faces.values()) drawCrop(face, image, data.size);
    };
    image.onerror = () => { camera.loading = false; };
    image.src = `/camera/${data.number}?${data.images}`;
  }

  function faceOf(camera, track) {
    if (camera.faces.has(track)) return camera.faces.get(track);
    const box = make(camera.list, "article", "face");
    const face = { box, crop: make(box, "canvas", "crop"), history: [] };
    face.crop.setAttribute("aria-hidden", "true");
    make(box, "div", "who", `Person ${track}`);
    for (const name of ["label", "next", "affect"]) {
      face[name] = make(box, "div", name === "label" ? name : "also");
    }
    face.stack = make(box, "div", "stack");
    face.bars = EMOTIONS.map((label) => {
      const bar = make(face.stack, "b");
      bar.style.background = `var(--${label})`;
      return bar;
    });
    face.chart = make(box, "canvas", "history");
    face.chart.setAttribute("aria-label", `Probabilities of person ${track} in the last ${HISTORY} seconds`);
    for (const element of [face.stack, face.chart]) element.setAttribute("role", "img");
    camera.faces.set(track, face);
    return face;
  }

  function showFaces(camera, data) {
    const here = new Set(data.faces.map((face) => face.track_id));
    for (const [track, face] of camera.faces) {
      if (here.has(track)) continue;
      face.box.remove();
      camera.faces.delete(track);
    }
    camera.nobody.hidden = here.size > 0;
    const isNew = data.results !== camera.results;
    camera.results = data.results;
    for (const found of data.faces) {
      const face = faceOf(camera, found.track_id);
      const shares = found.probabilities.map((share) => share || 0);
      const texts = shares.map((share, e) => `${EMOTIONS[e]} ${percent(share)}`);
      const isUnknown = found.label === "unknown";
      const reason = found.unknown_reason ? ` (${found.unknown_reason.replace("_", " ")})` : "";
      const others = EMOTIONS.map((_, e) => e).filter((e) => EMOTIONS[e] !== found.label);
      const second = others.reduce((best, e) => (shares[e] > shares[best] ? e : best));
      face.found = found;
      face.box.style.setProperty("--of", `var(--${found.label})`);
      face.label.textContent = isUnknown ? `unknown${reason}` : `${found.label}, ${percent(found.confidence)}`;
      face.next.textContent = isUnknown || shares[second] < 0.005 ? "" : `then ${texts[second]}`;
      face.affect.textContent = `valence ${signed(found.valence)}, arousal ${signed(found.arousal)}`;
      face.bars.forEach((bar, e) => { bar.style.width = `${100 * shares[e]}%`; });
      face.stack.title = texts.join(", ");
      face.stack.setAttribute("aria-label", face.stack.title);
      if (isNew) remember(face, shares);
      drawHistory(face);
    }
  }

  function remember(face, shares) {
    const now = performance.now() / 1000;
    face.history.push({ now, shares });
    while (face.history[0].now < now - HISTORY) face.history.shift();
  }

  // Returns the pen of a canvas, scaled so that its units are those of the page.
  function penOf(canvas) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return pen;
  }

  // The probabilities of the last seconds, stacked from the top in the order of the legend.
  function drawHistory({ chart, history }) {
    const [width, height, pen] = [chart.clientWidth, chart.clientHeight, penOf(chart)];
    const now = performance.now() / 1000;
    const x = (time) => width * (1 - (now - time) / HISTORY);
    history.forEach((sample, i) => {
      const next = i + 1 < history.length ? history[i + 1].now : now;
      const left = x(sample.now), right = x(Math.min(next, sample.now + OLD));
      let top = 0;
      sample.shares.forEach((share, e) => {
        pen.fillStyle = COLOURS[e];
        pen.fillRect(left, top, right - left + 0.5, share * height);
        top += share * height;
      });
    });
  }

  // The face in the picture: the square around its box, a little larger.
  function drawCrop({ crop, found }, image, size) {
    const [x, y, width, height] = found.box;
    const scale = image.naturalWidth / size[0];
    const side = 1.4 * Math.max(width, height);
    const corner = [x + (width - side) / 2, y + 0.45 * height - side / 2].map((v) => v * scale);
    penOf(crop).drawImage(image, ...corner, side * scale, side * scale, 0, 0, crop.clientWidth, crop.clientHeight);
  }

  const statuses = new Map();
  function showStatus(data) {
    let status = statuses.get(data.name);
    if (!status) {
      const box = make(place("diagnostics"), "details");
      const line = make(box, "summary");
      status = { box, level: make(line, "span", "level"), text: make(line, "span"), values: make(box, "dl", "settings") };
      statuses.set(data.name, status);
    }
    const old = data.age > 5;
    status.level.className = `level ${old ? "stale" : data.level}`;
    status.level.textContent = old ? "silent" : data.level;
    status.text.textContent = `${data.name}: ${data.message}` + (old ? ` (${Math.round(data.age)} s ago)` : "");
    if (!status.box.open) return;
    status.values.replaceChildren();
    for (const [name, value] of Object.entries(data.values)) {
      const row = make(status.values, "div");
      make(row, "dt", "", name);
      make(row, "dd", "", value || "–");
    }
  }

  function dropStatuses(data) {
    const named = new Set(data.map((status) => status.name));
    for (const [name, status] of statuses) {
      if (named.has(name)) continue;
      status.box.remove();
      statuses.delete(name);
    }
  }

  function show(state) {
    for (const data of state.cameras) {
      const camera = cameraOf(data);
      const old = data.age === null || data.age > OLD;
      camera.section.classList.toggle("old", old);
      camera.figures.textContent = data.age === null ? "no results yet"
        : old ? `no results for ${data.age.toFixed(0)} s` : `${data.rate.toFixed(1)} images a second`;
      showPicture(camera, data);
      showFaces(camera, data);
    }
    dropStatuses(state.diagnostics);
    state.diagnostics.forEach(showStatus);
    const { name, version, engine, device } = state.model;
    const model = name ? `${name} ${version} on ${engine} (${device})` : "";
    const nobody = "No emotion node publishes here yet. Start one: edan run 0";
    report(state.cameras.length ? model || "Receiving" : nobody);
  }

  function report(text) {
    if (place("situation").textContent !== text) place("situation").textContent = text;
  }

  async function poll() {
    try {
      const answer = await fetch("/state", { cache: "no-store", signal: AbortSignal.timeout(3000) });
      show(await answer.json());
    } catch (error) {
      report("edan view has ended, or cannot be reached. Trying again …");
      for (const camera of cameras.values()) camera.section.classList.add("old");
    }
    setTimeout(poll, document.hidden ? 1000 : EVERY);
  }
  poll();
})();
