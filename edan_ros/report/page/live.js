"use strict";
// Polls the newest state from the server and shows it; see live.py.
(() => {
  const LABELS = JSON.parse(document.getElementById("labels").textContent);
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
    };
    image.onerror = () => { camera.loading = false; };
    image.src = `/camera/${data.number}?${data.images}`;
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

  function showFaces(camera, data) {
    const here = new Set(data.faces.map((face) => face.track_id));
    for (const [track, face] of camera.faces) {
      if (here.has(track)) continue;
      face.box.remove();
      camera.faces.delete(track);
    }
    camera.nobody.hidden = here.size > 0;
    for (const found of data.faces) {
      const face = faceOf(camera, found.track_id);
      face.box.style.setProperty("--of", `var(--${found.label})`);
      const reason = found.unknown_reason ? ` (${found.unknown_reason.replace("_", " ")})` : "";
      face.label.textContent = found.label === "unknown" ? `unknown${reason}` : `${found.label}, ${percent(found.confidence)}`;
      face.rows.forEach(({ bar, value }, e) => {
        bar.style.width = `${100 * found.probabilities[e]}%`;
        value.textContent = percent(found.probabilities[e]);
      });
      face.also.textContent = `valence ${signed(found.valence)}, arousal ${signed(found.arousal)}`;
    }
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
