"use strict";
// Asks the server for the newest state, again and again, and shows it; see live.py.
(() => {
  const LABELS = JSON.parse(document.getElementById("labels").textContent);
  const EVERY = 100; // milliseconds from one question to the next
  const OLD = 2; // seconds after which what is shown is no longer now
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

  function cameraOf(told) {
    if (cameras.has(told.number)) return cameras.get(told.number);
    const section = make(place("cameras"), "section", "camera");
    const title = make(section, "h2", "", told.name);
    const camera = { section, figures: make(title, "small"), shown: -1, faces: new Map() };
    camera.picture = make(section, "div", "picture");
    camera.waiting = make(camera.picture, "p", "", "Waiting for the first picture …");
    camera.list = make(section, "div", "faces");
    camera.nobody = make(camera.list, "p", "", "No face in view.");
    cameras.set(told.number, camera);
    return camera;
  }

  function showPicture(camera, told) {
    if (told.size) camera.picture.style.aspectRatio = `${told.size[0]} / ${told.size[1]}`;
    if (told.pictures === camera.shown || camera.loading || !told.pictures) return;
    camera.loading = true;
    const image = new Image();
    image.alt = `The picture of ${told.name} with the faces drawn in`;
    image.onload = () => {
      camera.loading = false;
      camera.shown = told.pictures;
      camera.picture.replaceChildren(image);
    };
    image.onerror = () => { camera.loading = false; };
    image.src = `/camera/${told.number}?${told.pictures}`;
  }

  function faceOf(camera, track) {
    if (camera.faces.has(track)) return camera.faces.get(track);
    const box = make(camera.list, "div", "readout");
    const face = { box, who: make(box, "div", "when", `Person ${track}`), label: make(box, "div", "label") };
    face.rows = LABELS.slice(0, -1).map((label) => {
      const row = make(box, "div", "row");
      make(row, "span", "", label);
      const bar = make(make(row, "span", "bar"), "b");
      bar.style.background = `var(--${label})`;
      return { bar, value: make(row, "span", "value") };
    });
    face.also = make(box, "div", "also");
    camera.faces.set(track, face);
    return face;
  }

  function showFaces(camera, told) {
    const here = new Set(told.faces.map((face) => face.track));
    for (const [track, face] of camera.faces) {
      if (here.has(track)) continue;
      face.box.remove();
      camera.faces.delete(track);
    }
    camera.nobody.hidden = here.size > 0;
    for (const seen of told.faces) {
      const face = faceOf(camera, seen.track);
      face.box.style.setProperty("--of", `var(--${seen.label})`);
      face.label.textContent = seen.label === "unknown" ? "unknown" : `${seen.label}, ${percent(seen.confidence)}`;
      face.rows.forEach(({ bar, value }, e) => {
        bar.style.width = `${100 * seen.probabilities[e]}%`;
        value.textContent = percent(seen.probabilities[e]);
      });
      face.also.textContent = `valence ${signed(seen.valence)}, arousal ${signed(seen.arousal)}`;
    }
  }

  const statuses = new Map();
  function showStatus(told) {
    let status = statuses.get(told.name);
    if (!status) {
      const box = make(place("diagnostics"), "details");
      const line = make(box, "summary");
      status = { box, level: make(line, "span", "level"), text: make(line, "span"), values: make(box, "dl", "settings") };
      statuses.set(told.name, status);
    }
    const old = told.age > 5;
    status.level.className = `level ${old ? "stale" : told.level}`;
    status.level.textContent = old ? "silent" : told.level;
    status.text.textContent = `${told.name}: ${told.message}` + (old ? ` (${Math.round(told.age)} s ago)` : "");
    if (!status.box.open) return;
    status.values.replaceChildren();
    for (const [name, value] of Object.entries(told.values)) {
      const row = make(status.values, "div");
      make(row, "dt", "", name);
      make(row, "dd", "", value || "–");
    }
  }

  function show(state) {
    for (const told of state.cameras) {
      const camera = cameraOf(told);
      const old = told.age === null || told.age > OLD;
      camera.section.classList.toggle("old", old);
      camera.figures.textContent = told.age === null ? "no results yet"
        : old ? `no results for ${told.age.toFixed(0)} s` : `${told.rate.toFixed(1)} images a second`;
      showPicture(camera, told);
      showFaces(camera, told);
    }
    state.diagnostics.forEach(showStatus);
    const { name, version, engine, device } = state.model;
    const model = name ? `${name} ${version} on ${engine} (${device})` : "";
    const nobody = "No emotion node publishes here yet. Start one: edan run 0";
    say(state.cameras.length ? model || "Receiving" : nobody);
  }

  function say(text) {
    if (place("situation").textContent !== text) place("situation").textContent = text;
  }

  async function ask() {
    try {
      const answer = await fetch("/state", { cache: "no-store", signal: AbortSignal.timeout(3000) });
      show(await answer.json());
    } catch (error) {
      say("edan view has ended, or cannot be reached. Trying again …");
      for (const camera of cameras.values()) camera.section.classList.add("old");
    }
    setTimeout(ask, document.hidden ? 1000 : EVERY);
  }
  ask();
})();
