// Plays the videos of a report: their position moves the cursor of all charts, and the reverse.

// Seconds by which a seek goes beyond the start of a frame, so that it is not the one before.
const INTO_FRAME = 0.002;
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
  const { begin } = stream.video;
  const player = {
    get playing() { return !video.paused && !video.ended; },
    time: () => video.currentTime + begin,
    seek(time) { video.currentTime = Math.max(time - begin, 0) + INTO_FRAME; },
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
  for (const person of stream.everyone) {
    const i = nearest(person.t, time);
    if (Math.abs(person.t[i] - time) > reach + INTO_FRAME) continue;
    const [x, y, w, h] = Array.from(person.b.subarray(4 * i, 4 * i + 4))
      .map((v, n) => v * scale * (n % 2 ? height : width) / 16384);
    const colour = data.colours[data.labels[person.l[i]]];
    for (const [style, line] of [[DARK_INK, 4], [colour, 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = line;
      pen.strokeRect(x, y, w, h);
    }
    const text = `${person.number} ${labelOf(person, i)}`;
    const top = y > 22 ? y - 20 : y + h + 2;
    pen.fillStyle = colour;
    pen.fillRect(x - 2, top, pen.measureText(text).width + 10, 18);
    pen.fillStyle = inkOn(colour);
    pen.fillText(text, x + 3, top + 9);
  }
}
