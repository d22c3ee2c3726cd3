"""Style and script inside the exported SVG. The script only moves and hides what is drawn already."""

from __future__ import annotations

STYLE = """
text { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1c1c1c; }
.title { font-size: 14px; font-weight: 600; }
.note { fill: #555; }
.page { fill: #fff; }
.button { text-anchor: end; fill: #2463a8; cursor: pointer; }
#frames g { cursor: pointer; }
#frames g:hover rect { stroke: #1c1c1c; stroke-width: 1; }
#frames text { pointer-events: none; }
#frames g.found rect { fill: #b14bd6; }
#frames g.found text { fill: #fff; }
"""

SCRIPT = """
(() => {
  const holder = document.getElementById("frames");
  const detail = document.getElementById("detail");
  const left = +holder.dataset.left, width = +holder.dataset.width, character = +holder.dataset.char;
  const boxes = [...holder.querySelectorAll("g")].map(group => {
    const rect = group.querySelector("rect"), label = group.querySelector("text");
    return { group, rect, label, name: group.dataset.n, x: +rect.getAttribute("x"),
             w: +rect.getAttribute("width") + 0.4, y: +rect.getAttribute("y") };
  });
  const zoom = target => {
    const from = target ? target.x : left, span = target ? target.w : width;
    for (const box of boxes) {
      const around = target && box.y > target.y && box.x <= from + 0.01 && box.x + box.w >= from + span - 0.01;
      const x = around ? left : left + (box.x - from) / span * width;
      const w = around ? width : box.w / span * width;
      const outside = !around && (x + w < left + 0.01 || x > left + width - 0.01 || (target && box.y > target.y));
      box.group.style.display = outside ? "none" : "";
      if (outside) continue;
      box.group.style.opacity = around ? 0.55 : 1;
      box.rect.setAttribute("x", x);
      box.rect.setAttribute("width", Math.max(w - 0.4, 0.2));
      box.label.setAttribute("x", x + 3);
      const room = Math.floor((w - 6) / character);
      box.label.textContent =
        box.name.length <= room ? box.name : room >= 3 ? box.name.slice(0, room - 1) + "…" : "";
    }
  };
  const find = text => {
    let pattern = null;
    try { pattern = text ? new RegExp(text, "i") : null; } catch { pattern = null; }
    let covered = 0, end = -1, count = 0;
    const found = boxes.filter(box => {
      const hit = pattern !== null && pattern.test(box.name);
      box.group.classList.toggle("found", hit);
      return hit;
    });
    for (const box of found.sort((a, b) => a.x - b.x || b.w - a.w)) {
      count += 1;
      if (box.x + box.w > end + 0.01) { covered += box.x + box.w - Math.max(box.x, end); end = box.x + box.w; }
    }
    detail.textContent = pattern ? `${count} frames match, ${(100 * covered / width).toFixed(2)} % of the whole` : "";
  };
  for (const box of boxes) {
    box.group.addEventListener("click", () => zoom(box));
    box.group.addEventListener("mouseover", () => {
      detail.textContent = box.group.querySelector("title").textContent.replace("\\n", " · ");
    });
  }
  document.getElementById("reset").addEventListener("click", () => { zoom(null); find(""); });
  document.getElementById("search").addEventListener("click", () => find(prompt("Regular expression:") || ""));
  addEventListener("keydown", event => {
    if (event.key === "Escape") { zoom(null); find(""); }
    if ((event.ctrlKey || event.metaKey) && event.key === "f") {
      event.preventDefault();
      find(prompt("Regular expression:") || "");
    }
  });
})();
"""
