// SPDX-License-Identifier: Apache-2.0
// The page: what is chosen, what follows from it, and the keys.

const KEYS = [["/", "filter call sites"], ["1 … 7", "retained, growing, survivors, allocated, freed, temporary, peak"], ["b", "bytes or blocks"], ["c", "callers"],
  ["l", "library frames"], ["arrows", "move in the chart, graph or table that has the focus"], ["Esc", "close, clear, whole recording"], ["?", "these keys"]];

class Page {
  constructor(data, column) {
    this.data = data;
    this.model = readModel(data.memory, column);
    this.marks = marksOf(data);
    this.state = stateOf(location.hash, this.model);
    this.hasMemory = this.model.count > 0;
    this.residents = residentsOf(this);
    this.timeline = new Timeline(this);
    this.flame = new Flame(this);
    this.table = new Table(this);
    this.build();
    this.show();
    let width = window.innerWidth;
    window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; this.show(); } });
    window.addEventListener("hashchange", () => { if (location.hash.slice(1) !== this.fragment) { this.state = stateOf(location.hash, this.model); this.show(); } });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
    window.addEventListener("keydown", event => this.key(event));
  }

  build() {
    this.totals = el("div", { class: "wide" });
    this.views = el("div", { class: "row", id: "views" });
    this.filter = el("input", { type: "search", id: "filter", placeholder: "filter: regular expression of function, file or module", "aria-label": "Filter call sites, a regular expression", oninput: () => this.set({ filter: this.filter.value }) });
    this.filterError = el("span", { class: "warning", "aria-live": "polite" });
    this.command = el("code", { id: "command" });
    this.nearest = el("span", { class: "dim" });
    this.copied = el("span", { class: "dim", "aria-live": "polite" });
    this.detail = el("div");
    this.help = el("dialog", { id: "help", "aria-label": "Keys" }, el("dl", null, KEYS.map(([key, what]) => el("div", null, el("dt", null, key), el("dd", null, what)))), el("form", { method: "dialog" }, el("button", null, "Close")));
    const copy = el("button", { type: "button", id: "copy", onclick: () => this.copy() }, "Copy");
    const memory = !this.hasMemory ? [] : [el("section", { id: "kinds", "aria-label": "Memory" }, el("h2", null, "Memory"), this.totals), this.timeline.element,
      el("div", { class: "controls" }, this.views, el("div", { class: "row" }, this.filter, this.filterError),
        el("div", { class: "row" }, this.nearest, this.command, copy, this.copied)),
      this.flame.element, this.table.element, this.detail];
    fill(document.getElementById("app"), headOf(this.data), summaryOf(this.data), this.residents.map(one => one.element), memory, subjectSections(this.data.subjects),
      el("footer", { class: "dim" }, this.foldedText(), " Times count from the start of the recording. Sizes are binary: 1 KB is 1,024 bytes. ", el("button", { type: "button", class: "link", onclick: () => this.help.showModal() }, "Keys"), " ",
        el("button", { type: "button", class: "link", id: "as-text", onclick: () => document.getElementById("text").toggleAttribute("hidden") }, "The report as text"), "."), this.help, tip);
    document.getElementById("text").hidden = true;
  }

  foldedText() {
    const { sites, slotOfSite, accounts, count } = this.model;
    const small = accounts.map((account, number) => {
      if (!account.other_sites) return null;
      let retained = 0, allocated = 0, ofRetained = 0, ofAllocated = 0;
      for (let site = 0; site < count; site++) {
        if (this.model.accountOf[site] !== number) continue;
        ofRetained += sites.retained_bytes[site];
        ofAllocated += sites.alloc_bytes[site];
        if (slotOfSite[site] < 0) { retained += sites.retained_bytes[site]; allocated += sites.alloc_bytes[site]; }
      }
      return grouped(account.other_sites) + " (" + KIND_TITLES[account.kind].toLowerCase() + ": " + percentText(retained, ofRetained) + " of what is retained, " + percentText(allocated, ofAllocated) + " of what was allocated)";
    }).filter(text => text);
    return "dwell " + this.data.report.recording.dwell_version + ". " + (small.length ? "Every call site is here with its figures of the whole recording. The smallest have none of their own by time, and are one row where a range is chosen: " + small.join(", ") + "." : "Nothing was left out.");
  }

  // `dragging`: only what is cheap.
  set(changes, dragging) {
    Object.assign(this.state, changes);
    if (dragging) {
      for (const one of this.residents) one.show();
      return this.timeline.show();
    }
    this.show(changes);
  }

  show(changes) {
    this.fragment = fragmentOf(this.state, this.model);
    if (location.hash.slice(1) !== this.fragment) history.replaceState(null, "", this.fragment ? "#" + this.fragment : location.pathname + location.search);
    for (const one of this.residents) one.show();
    if (!this.hasMemory) return;
    const only = key => changes && Object.keys(changes).length === 1 && key in changes;
    if (!only("site") && !only("sort")) this.choose();
    fill(this.totals, totalsOf(this.data, this.model, this.state, account => this.set({ account, site: -1 })));
    this.showControls();
    if (!only("site")) this.timeline.show();
    if (!only("site") && !only("sort") && !only("up")) this.flame.show();
    only("site") ? this.table.drawRows() : this.table.show();
    fill(this.detail, detailOf(this));
  }

  // The rows of the account and range, and which of them the filter keeps.
  choose() {
    const { state, model } = this, key = [state.account, state.range].join();
    if (this.rowsKey !== key) this.rows = rowsOf(model, state.account, state.range);
    this.rowsKey = key;
    this.all = this.rows[VIEWS[state.view][state.unit]];
    this.kept = new Uint8Array(this.rows.count).fill(1);
    this.filterError.textContent = "";
    if (state.filter) {
      try {
        const expression = new RegExp(state.filter);
        this.kept = matchingRows(model, this.rows, text => expression.test(text));
      } catch (error) { this.filterError.textContent = "not a regular expression"; }
    }
    this.values = this.all.map((value, row) => this.kept[row] ? value : 0);
  }

  showControls() {
    const { state, model } = this, account = model.accounts[state.account];
    const views = Object.keys(VIEWS).filter(key => key !== "born" || model.birthsKnown);
    fill(this.views, chooser("View", views.map(key => [key, VIEWS[key].title, VIEWS[key].about]), state.view, view => this.set({ view, sort: "view", up: false })),
      chooser("Unit", [["bytes", "Bytes", "bytes (b)"], ["blocks", "Blocks", "blocks (b)"]], state.unit, unit => this.set({ unit })),
      el("span", { class: "dim", id: "about-view" }, KIND_TITLES[account.kind] + ": " + VIEWS[state.view].about));
    if (document.activeElement !== this.filter) this.filter.value = state.filter;
    this.command.textContent = commandText(this.data.file, account.kind, state, model.edges);
    this.nearest.textContent = commandIsNearest(state) ? "nearest in a terminal:" : "in a terminal:";
    this.copied.textContent = "";
  }

  // Pages opened from disk have no clipboard in every browser: the command is selected then.
  async copy() {
    try {
      await navigator.clipboard.writeText(this.command.textContent);
      this.copied.textContent = "copied";
    } catch (error) {
      getSelection().selectAllChildren(this.command);
      this.copied.textContent = "selected: press Ctrl-C";
    }
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || this.help.open) return;
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "Escape") return this.escape(typing, event.target);
    if (typing || !this.hasMemory) return;
    const views = Object.keys(VIEWS).filter(key => key !== "born" || this.model.birthsKnown), view = Object.keys(VIEWS)[Number(event.key) - 1];
    const actions = {
      "/": () => this.filter.focus(), b: () => this.set({ unit: this.state.unit === "bytes" ? "blocks" : "bytes" }), c: () => this.set({ callers: !this.state.callers }),
      l: () => this.set({ library: !this.state.library }), "?": () => this.help.showModal(),
    };
    if (view && views.includes(view)) { event.preventDefault(); this.set({ view, sort: "view", up: false }); }
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }

  escape(typing, input) {
    if (typing && input.value) { input.value = ""; input.dispatchEvent(new Event("input")); return; }
    if (typing) return input.blur();
    if (this.state.site >= 0) return this.set({ site: -1 });
  }
}

async function start() {
  if (typeof DecompressionStream === "undefined") return;  // an old browser: the text stays
  const packed = unpack(await inflated(bytesOfBase64(document.getElementById("data").textContent)));
  const page = new Page(packed.data, packed.column);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  document.getElementById("app").page = page;
}
start();
