// SPDX-License-Identifier: Apache-2.0
// Live bytes over time: the largest call sites stacked, what each stretch of time allocated and how much of that is still
// there, and marks. Dragging chooses a range.

const LAYERS = 7, CHART_PX = 190, BARS_PX = 46, AXIS_PX = 20, LEFT_PX = 62;

function niceStep(span, most) {
  const rough = span / Math.max(1, most), power = Math.pow(10, Math.floor(Math.log10(rough || 1)));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= rough) || power;
}

// Of bytes, in steps that read well in binary units.
function byteStep(most) {
  let unit = 1;
  while (most / unit >= 1024) unit *= 1024;
  return Math.max(1, unit * niceStep(most / unit, 4));
}

class Timeline {
  constructor(page) {
    this.page = page;
    this.canvas = el("canvas", { tabindex: "0", role: "img", id: "timeline-canvas" });
    this.legend = el("div", { class: "legend" });
    this.about = el("p", { class: "dim", id: "range-text", "aria-live": "polite" });
    this.reset = el("button", { type: "button", id: "whole", onclick: () => this.page.set({ range: null }) }, "Whole recording");
    this.element = el("section", { id: "timeline", "aria-label": "Timeline" }, el("h2", null, "Over time"),
      el("div", { class: "row" }, this.about, this.reset), el("div", { class: "canvas-box" }, this.canvas), this.legend);
    this.dragFrom = null;
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointerleave", "pointercancel"])
      this.canvas.addEventListener(kind, event => this[kind](event));
    this.canvas.addEventListener("keydown", event => this.key(event));
    this.account = -1;
  }

  show() {
    const { model, state } = this.page;
    if (this.account !== state.account) this.data = timelineOf(model, this.account = state.account, LAYERS);
    const range = state.range || [0, model.buckets];
    this.reset.hidden = !state.range;
    fill(this.about, (state.range ? "From " : "All of it: ") + durationText(model.edges[range[0]]) + " to " + durationText(model.edges[range[1]]) +
      (state.range ? "; everything below is of this range." : ". Drag over the chart to choose a range."));
    this.canvas.setAttribute("aria-label", "Live bytes over time, " + this.about.textContent + " Arrow keys move the range, with Shift its end.");
    this.draw();
    this.drawLegend();
  }

  x(ns) {
    const { edges, buckets } = this.page.model, from = edges[0];
    return LEFT_PX + (ns - from) / Math.max(1, edges[buckets] - from) * (this.width - LEFT_PX - 2);
  }
  ns(x) {
    const { edges, buckets } = this.page.model;
    return edges[0] + (x - LEFT_PX) / (this.width - LEFT_PX - 2) * (edges[buckets] - edges[0]);
  }

  draw() {
    const { model, state } = this.page, { pen, width } = sized(this.canvas, CHART_PX + BARS_PX + AXIS_PX);
    this.width = width;
    pen.font = "11px system-ui, sans-serif";
    const most = Math.max(1, ...this.data.total);
    this.drawAxes(pen, most);
    const base = new Float64Array(model.buckets);
    this.data.layers.concat([{ live: this.data.others }]).forEach((layer, i) => {
      this.drawLayer(pen, base, layer.live, most, themeColor(i < this.data.layers.length ? "c" + i : "c8"));
    });
    this.drawBars(pen);
    for (const mark of this.page.marks) this.drawMark(pen, mark);
    if (!state.range) return;
    const from = this.x(model.edges[state.range[0]]), to = this.x(model.edges[state.range[1]]);
    pen.fillStyle = themeColor("shade");
    pen.fillRect(LEFT_PX, 0, from - LEFT_PX, CHART_PX + BARS_PX);
    pen.fillRect(to, 0, width - to, CHART_PX + BARS_PX);
    pen.fillStyle = themeColor("strong");
    pen.fillRect(from - 1, 0, 2, CHART_PX + BARS_PX);
    pen.fillRect(to - 1, 0, 2, CHART_PX + BARS_PX);
  }

  y(bytes, most) { return CHART_PX - bytes / most * (CHART_PX - 10); }

  drawAxes(pen, most) {
    const { edges, buckets } = this.page.model, step = byteStep(most);
    pen.strokeStyle = themeColor("line");
    pen.fillStyle = themeColor("dim");
    pen.textAlign = "right";
    for (let bytes = 0; bytes <= most; bytes += step) {
      const y = Math.round(this.y(bytes, most)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT_PX, y);
      pen.lineTo(this.width, y);
      pen.stroke();
      pen.fillText(bytesText(bytes), LEFT_PX - 5, Math.max(10, y + 4));
    }
    pen.fillText("allocated", LEFT_PX - 5, CHART_PX + BARS_PX - 4);
    pen.textAlign = "left";
    const wide = edges[buckets] - edges[0], tick = niceTime(wide, Math.max(2, this.width / 110));
    for (let ns = Math.ceil(edges[0] / tick) * tick; ns <= edges[buckets]; ns += tick) {
      const text = durationText(ns).replace(/\.0 /, " ").replace(/ 0 (s|min|h)$/, ""), x = this.x(ns);
      pen.fillText(text, Math.min(x, this.width - pen.measureText(text).width), CHART_PX + BARS_PX + 14);
    }
  }

  drawLayer(pen, base, live, most, color) {
    const { edges, buckets } = this.page.model;
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(this.x(edges[0]), this.y(0, most));
    for (let b = 0; b < buckets; b++) pen.lineTo(this.x(edges[b + 1]), this.y(base[b] + Math.max(0, live[b]), most));
    for (let b = buckets - 1; b >= 0; b--) pen.lineTo(this.x(edges[b + 1]), this.y(base[b], most));
    pen.lineTo(this.x(edges[0]), this.y(0, most));
    pen.fill();
    for (let b = 0; b < buckets; b++) base[b] += Math.max(0, live[b]);
  }

  // As far as each stretch's allocations are still there they are strong, else faint.
  drawBars(pen) {
    const { edges, buckets, birthsKnown } = this.page.model, most = Math.max(Number.MIN_VALUE, ...this.data.allocated.map((bytes, b) => bytes / (edges[b + 1] - edges[b] || 1)));
    const height = (bytes, b) => bytes / (edges[b + 1] - edges[b] || 1) / most * (BARS_PX - 8);
    for (let b = 0; b < buckets; b++) {
      const x = this.x(edges[b]), w = Math.max(0.7, this.x(edges[b + 1]) - x - 0.6);
      pen.fillStyle = themeColor("gone");
      pen.fillRect(x, CHART_PX + BARS_PX - height(this.data.allocated[b], b), w, height(this.data.allocated[b], b));
      if (!birthsKnown) continue;
      pen.fillStyle = themeColor("stays");
      pen.fillRect(x, CHART_PX + BARS_PX - height(this.data.born[b], b), w, height(this.data.born[b], b));
    }
  }

  drawMark(pen, mark) {
    const x = this.x(mark.ns);
    pen.strokeStyle = pen.fillStyle = themeColor(mark.color);
    pen.setLineDash(mark.dash);
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, CHART_PX);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillRect(x - 3, 0, 6, 6);
  }

  drawLegend() {
    const { model } = this.page;
    const item = (color, text, pick) => el("span", { class: "key" }, el("i", { class: "swatch " + color }),
      pick ? el("button", { type: "button", class: "link", title: text, onclick: pick }, shorten(text, 44)) : text);
    const kinds = new Map(this.page.marks.map(mark => [mark.kind, mark]));
    fill(this.legend,
      this.data.layers.map((layer, i) => item("c" + i, siteText(model, model.asks[layer.site], 1), () => this.page.set({ site: layer.site }))),
      item("c8", "others"), model.birthsKnown ? item("stays", "allocated, and still there at the end") : null,
      item("gone", model.birthsKnown ? "allocated, and freed since" : "allocated"), Array.from(kinds.values()).map(mark => item("mark-" + mark.color, mark.kind)));
  }

  position(event) { return event.clientX - this.canvas.getBoundingClientRect().left; }
  pointerdown(event) {
    if (event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.dragFrom = this.position(event);
    hideTip();
  }
  pointermove(event) {
    const x = this.position(event);
    if (this.dragFrom === null) return this.hover(event, x);
    if (Math.abs(x - this.dragFrom) > 4) this.page.set({ range: snappedRange(this.page.model, this.ns(this.dragFrom), this.ns(x)) }, true);
  }
  pointerup() {
    if (this.dragFrom !== null) this.page.set({});
    this.dragFrom = null;
  }
  pointercancel() { this.dragFrom = null; }
  pointerleave() { hideTip(); }

  hover(event, x) {
    const { model, marks } = this.page, ns = this.ns(x);
    let b = 0;
    while (b < model.buckets - 1 && model.edges[b + 1] < ns) b++;
    if (!model.buckets) return;
    const lines = ["live " + bytesText(this.data.total[b]) + ", allocated " + bytesText(this.data.allocated[b])];
    if (model.birthsKnown) lines.push(bytesText(this.data.born[b]) + " of that is still there at the end");
    const largest = this.data.layers.map(layer => [layer.live[b], layer.site]).filter(layer => layer[0] > 0).sort((one, other) => other[0] - one[0]).slice(0, 4);
    for (const [live, site] of largest) lines.push(bytesText(live) + "  " + siteText(model, model.asks[site], 1));
    for (const mark of marks) if (Math.abs(this.x(mark.ns) - x) < 5) lines.push(mark.text);
    showTip(event.clientX, event.clientY, durationText(model.edges[b]) + " to " + durationText(model.edges[b + 1]), lines);
  }

  key(event) {
    const { model, state } = this.page, step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") return this.page.set({ range: null });
    if (!step || !model.buckets) return;
    event.preventDefault();
    const [from, to] = state.range || [0, event.shiftKey ? model.buckets : 1];
    const begin = event.shiftKey ? from : Math.min(Math.max(0, from + (state.range ? step : 0)), model.buckets - 1);
    const end = Math.min(Math.max(begin + 1, event.shiftKey ? to + step : begin + to - from), model.buckets);
    this.page.set({ range: begin === 0 && end === model.buckets ? null : [begin, end] });
  }
}

function niceTime(span, most) {
  const steps = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 5e8, 1e9, 2e9, 5e9, 1e10, 3e10, 6e10, 3e11, 6e11, 1.8e12, 3.6e12, 7.2e12, 1.44e13, 2.88e13, 8.64e13];
  return steps.find(step => span / step <= most) || 8.64e13 * Math.ceil(span / 8.64e13 / most);
}
