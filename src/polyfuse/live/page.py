"""The page that `polyfuse live --web` shows: fused picture, sources and a slider, without anything from elsewhere."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>polyfuse live</title>
<style>
  :root { color-scheme: dark light; font: 15px/1.4 system-ui, sans-serif; }
  body { margin: 0 auto; padding: 12px; max-width: 1500px; background: #15181c; color: #e8eaed; }
  h1 { font-size: 1.05rem; margin: 0 0 8px; font-weight: 600; }
  .stage { position: relative; background: #000; line-height: 0; touch-action: none; cursor: ew-resize;
    margin: 0 auto; width: min(100%, max(240px, calc((100vh - 9rem) * var(--shape, 1.333)))); }
  .stage img { width: 100%; height: auto; display: block; user-select: none; -webkit-user-drag: none; }
  .stage .over { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--at)) 0 0); }
  .stage .line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
    background: #ffb000; pointer-events: none; }
  .stage { --at: 0%; }
  .row { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin: 8px 0; }
  .row input[type=range] { flex: 1 1 200px; accent-color: #ffb000; }
  .row label { cursor: pointer; }
  .sources { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
  figure { margin: 0; }
  figure img { width: 100%; height: auto; display: block; background: #000; }
  figcaption { padding: 4px 0; color: #aab0b7; overflow-wrap: anywhere; }
  output { font-variant-numeric: tabular-nums; color: #aab0b7; min-height: 1.4em; display: block; }
  output.bad { color: #ff8a65; }
</style>
</head>
<body>
<h1>polyfuse live</h1>
<div class="stage" id="stage">
  <img id="fused" alt="Fused picture" src="fused.mjpg@@QUERY@@">
  <div class="over"><img id="over" alt="Source under the slider" src="a.mjpg@@QUERY@@"></div>
  <div class="line"></div>
</div>
<div class="row">
  <label><input type="radio" name="side" value="a" checked> a</label>
  <label><input type="radio" name="side" value="b"> b</label>
  <input type="range" id="slider" min="0" max="100" value="0" step="0.1"
    aria-label="How much of the source covers the fused picture">
</div>
<output id="line">&nbsp;</output>
<div class="sources">
  <figure><img id="a" alt="Source a" src="a.mjpg@@QUERY@@"><figcaption id="name-a">a</figcaption></figure>
  <figure><img id="b" alt="Source b" src="b.mjpg@@QUERY@@"><figcaption id="name-b">b</figcaption></figure>
</div>
<script nonce="@@NONCE@@">
"use strict";
const query = "@@QUERY@@";
const stage = document.getElementById("stage"), slider = document.getElementById("slider");
const line = document.getElementById("line"), over = document.getElementById("over");
function move(percent) {
  slider.value = percent;
  stage.style.setProperty("--at", Math.min(100, Math.max(0, percent)) + "%");
}
slider.addEventListener("input", () => move(Number(slider.value)));
stage.addEventListener("pointermove", event => {
  if (event.buttons) {
    const box = stage.getBoundingClientRect();
    move(100 * (event.clientX - box.left) / box.width);
  }
});
stage.addEventListener("dragstart", event => event.preventDefault());
for (const choice of document.getElementsByName("side")) {
  choice.addEventListener("change", () => { over.src = choice.value + ".mjpg" + query; });
}
const fused = document.getElementById("fused");
function fit() { // so high that slider and figures are seen below it
  if (fused.naturalHeight) { stage.style.setProperty("--shape", fused.naturalWidth / fused.naturalHeight); }
}
fused.addEventListener("load", fit);
let wasGone = false;
async function look() {
  try {
    const facts = await (await fetch("status.json" + query, {cache: "no-store"})).json();
    line.textContent = facts.line;
    line.className = facts.trouble ? "bad" : "";
    for (const side of ["a", "b"]) {
      document.getElementById("name-" + side).textContent = side + ": " + facts.sources[side];
    }
    fit();
    if (wasGone) { location.reload(); }
  } catch (error) {
    wasGone = true;
    line.textContent = "polyfuse live has ended";
    line.className = "bad";
  }
  setTimeout(look, 1000);
}
move(50);
look();
</script>
</body>
</html>
"""
"""With places for a query that carries the token, and for the number that lets the script run."""
