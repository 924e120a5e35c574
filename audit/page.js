// The page's own script. The recording is in #cast, as base64.
(() => {
  const coded = document.getElementById("cast").textContent.trim();
  const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const lines = new TextDecoder().decode(bytes).split("\n");
  const header = JSON.parse(lines[0]);
  const clock = (s) => {
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60, rest = Math.floor(s % 60);
    return (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + String(rest).padStart(2, "0");
  };
  const shown = [lines[0]];
  const markers = [];
  const list = document.getElementById("events");
  let length = 0;
  const row = (time, name, text) => {
    const item = document.createElement("li");
    const link = document.createElement("button");
    link.textContent = clock(time);
    link.addEventListener("click", () => player.seek(time));
    item.append(link, " " + name + (text ? " " + text : ""));
    list.append(item);
  };
  const rows = [];
  for (const line of lines.slice(1)) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      continue;  // a last line that a crash cut short
    }
    const [time, code, text] = event;
    length = Math.max(length, time);
    if (code === "o" || code === "r") shown.push(line);
    if (code !== "e") continue;
    const { ev, ...more } = JSON.parse(text);
    if (ev === "own" || ev === "typed") continue;
    const words = Object.values(more).join(" ");
    markers.push([time, ev]);
    rows.push([time, ev, words]);
  }
  const player = AsciinemaPlayer.create({ data: shown.join("\n") }, document.getElementById("player"), {
    cols: header.width, rows: header.height, idleTimeLimit: 2, markers, fit: "width", preload: true,
    poster: "npt:" + clock(Math.ceil(length)),
  });
  for (const each of rows) row(...each);
  document.getElementById("length").textContent = clock(length);
  document.getElementById("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/x-asciicast" }));
    link.download = header.oobd.id + ".cast";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  document.documentElement.dataset.ready = "yes";
})();
