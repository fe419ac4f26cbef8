// Plays the videos of a report: their position moves the cursor of all charts, and the reverse.

// Seconds by which a seek goes beyond the time of an image, so that the one before is not shown.
const INTO_IMAGE = 0.002;
const players = streams.filter((stream) => stream.video).map(playerOf);

// Where the cursor is while nobody points: at the image that the video shows.
function rest() {
  point(players.length ? players[0].time() : null);
}

function playerOf(stream) {
  const screen = document.querySelector(`.screen[data-stream="${streams.indexOf(stream)}"]`);
  const [video, canvas] = [screen.querySelector("video"), screen.querySelector("canvas")];
  const embedded = screen.querySelector("script");
  if (embedded) video.src = URL.createObjectURL(new Blob([bytes(embedded.textContent)], { type: "video/mp4" }));
  const { begin, reach } = stream.video;
  const player = {
    get playing() { return !video.paused && !video.ended; },
    // The time of the image shown: the last one at or before the position.
    time() {
      const now = video.currentTime + begin;
      const i = d3.bisectRight(stream.t, now + INTO_IMAGE / 2) - 1;
      return i >= 0 && now - stream.t[i] < reach ? stream.t[i] : now;
    },
    seek(time) { video.currentTime = Math.max(time - begin, 0) + INTO_IMAGE; },
    toggle() { if (player.playing) video.pause(); else video.play(); },
    draw: () => drawBoxes(stream, canvas, player.time()),
  };
  const [button, slider, time] = ["button", "input", "output"].map((name) => screen.querySelector(name));
  const follow = () => {
    player.draw();
    slider.value = video.currentTime;
    time.textContent = clock(player.time());
    slider.setAttribute("aria-valuetext", time.textContent);
    point(player.time());
  };
  for (const name of ["loadeddata", "timeupdate", "seeked"]) video.addEventListener(name, follow);
  video.addEventListener("loadedmetadata", () => { slider.max = video.duration; });
  slider.addEventListener("input", () => go(Number(slider.value) + begin));
  for (const element of [button, video]) element.addEventListener("click", player.toggle);
  for (const name of ["play", "pause", "ended"]) {
    video.addEventListener(name, () => { button.textContent = player.playing ? "Pause" : "Play"; });
  }
  // Several cameras play together.
  video.addEventListener("play", () => players.forEach((other) => other.playing || other.toggle()));
  video.addEventListener("pause", () => players.forEach((other) => other.playing && other.toggle()));
  video.addEventListener("error", () => { screen.querySelector("p").hidden = false; });
  // More often than timeupdate: at each image shown.
  const onImage = () => {
    if (player.playing) follow();
    video.requestVideoFrameCallback(onImage);
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onImage);
  return player;
}

function drawBoxes(stream, canvas, time) {
  const { width, height, reach } = stream.video;
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  // The video fills its place without being cut, as large as its shape allows.
  const scale = Math.min(wide / width, high / height);
  pen.translate((wide - scale * width) / 2, (high - scale * height) / 2);
  pen.font = "600 12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const faces = stream.everyone.flatMap((person) => {
    const i = nearest(person.t, time);
    if (Math.abs(person.t[i] - time) > reach / 2) return [];
    const box = Array.from(person.b.subarray(4 * i, 4 * i + 4))
      .map((v, n) => v * scale * (n % 2 ? height : width) / 16384);
    return [{ box, number: person.number, label: labelOf(person, i), colour: data.colours[data.labels[person.l[i]]] }];
  });
  for (const { box, colour } of faces) {
    for (const [style, line] of [[DARK_INK, 4], [colour, 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = line;
      pen.strokeRect(...box);
    }
  }
  const taken = faces.map(({ box }) => box);
  for (const { box: [x, y, w, h], number, label, colour } of faces) {
    // Above or below the face, shorter where there is no room beside the others.
    const places = [`${number} ${label}`, String(number)].flatMap((text) => {
      const long = pen.measureText(text).width + 10;
      const left = Math.max(Math.min(x - 2, scale * width - long), 0);
      return [y - 21, y + h + 3].map((top) => ({ text, place: [left, top, long, 18] }));
    });
    const free = places.find(({ place }) => place[1] >= 0 && place[1] + 18 <= scale * height
      && !taken.some((other) => overlap(place, other)));
    if (!free) continue;
    taken.push(free.place);
    pen.fillStyle = colour;
    pen.fillRect(...free.place);
    pen.fillStyle = inkOn(colour);
    pen.fillText(free.text, free.place[0] + 5, free.place[1] + 9);
  }
}

function overlap([x, y, w, h], [left, top, wide, high]) {
  return x < left + wide && left < x + w && y < top + high && top < y + h;
}
