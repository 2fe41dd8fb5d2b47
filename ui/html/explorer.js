// SPDX-License-Identifier: Apache-2.0
// What pages of one recording and of two have in common: what is chosen, the rows that follow from it, and the keys. A page says
// what it can show (`kind`), its rows (`rowsOf`), its columns, and what a chosen call site has to tell.

class Explorer {
  constructor(data, model, kind, keys) {
    Object.assign(this, { data, model, kind, keys });
    this.state = stateOf(location.hash, model, kind);
    this.hasMemory = model.count > 0;
    this.flame = new Flame(this);
    this.table = new Table(this);
  }

  start() {
    this.makeControls();
    this.build();
    this.show();
    let width = window.innerWidth;
    window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; this.show(); } });
    window.addEventListener("hashchange", () => { if (location.hash.slice(1) !== this.fragment) { this.state = stateOf(location.hash, this.model, this.kind); this.show(); } });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
    window.addEventListener("keydown", event => this.key(event));
  }

  view() { return this.kind.views[this.state.view]; }
  viewKeys() { return Object.keys(this.kind.views); }
  tagOf() { return ""; }
  leftOutText() { return ""; }
  drawsTime() { return false; }
  holdersKnown() { return false; }

  makeControls() {
    this.totals = el("div", { class: "wide" });
    this.views = el("div", { class: "row", id: "views" });
    this.filter = el("input", { type: "search", id: "filter", placeholder: "filter: regular expression of function, file or module", "aria-label": "Filter call sites, a regular expression", oninput: () => this.set({ filter: this.filter.value }) });
    this.filterError = el("span", { class: "warning", "aria-live": "polite" });
    this.command = el("code", { id: "command" });
    this.nearest = el("span", { class: "dim" });
    this.copied = el("span", { class: "dim", "aria-live": "polite" });
    this.detail = el("div");
    this.help = el("dialog", { id: "help", "aria-label": "Keys" }, el("dl", null, this.keys.map(([key, what]) => el("div", null, el("dt", null, key), el("dd", null, what)))), el("form", { method: "dialog" }, el("button", null, "Close")));
  }

  controls() {
    const copy = el("button", { type: "button", id: "copy", onclick: () => this.copy() }, "Copy");
    return el("div", { class: "controls" }, this.views, el("div", { class: "row" }, this.filter, this.filterError),
      el("div", { class: "row" }, this.nearest, this.command, copy, this.copied));
  }

  // The page as a whole: what stands above the footer.
  fillPage(parts, leftOut) {
    fill(document.getElementById("app"), parts,
      el("footer", { class: "dim" }, leftOut, " Sizes are binary: 1 KB is 1,024 bytes. ", el("button", { type: "button", class: "link", onclick: () => this.help.showModal() }, "Keys"), " · ",
        el("button", { type: "button", class: "link", id: "as-text", onclick: () => this.showText() }, "The report as text")), this.help, tip);
    document.getElementById("text").hidden = true;
  }

  showText() {
    const text = document.getElementById("text");
    text.toggleAttribute("hidden");
    if (!text.hidden) text.scrollIntoView();
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.show(changes);
  }

  show(changes) {
    this.fragment = fragmentOf(this.state, this.model, this.kind);
    if (location.hash.slice(1) !== this.fragment) history.replaceState(null, "", this.fragment ? "#" + this.fragment : location.pathname + location.search);
    if (!this.hasMemory) return;
    const only = key => changes && Object.keys(changes).length === 1 && key in changes;
    if (!only("site") && !only("sort")) this.choose();
    this.showControls();
    this.showTotals(changes);
    if (!only("site") && !only("sort") && !only("up")) this.flame.show();
    only("site") ? this.table.drawRows() : this.table.show();
    fill(this.detail, this.detailElement());
  }

  // The rows of the account (and range), and which of them the filter keeps.
  choose() {
    const { state, model } = this, key = this.rowsKeyOf();
    if (this.rowsKey !== key) this.rows = this.rowsOf();
    this.rowsKey = key;
    this.all = this.rows[this.view()[state.unit]];
    this.kept = this.keptAtAll();
    this.filterError.textContent = "";
    if (state.filter) {
      try {
        const expression = new RegExp(state.filter), matches = matchingRows(model, this.rows, text => expression.test(text));
        this.kept = this.kept.map((kept, row) => kept & matches[row]);
      } catch (error) { this.filterError.textContent = "not a regular expression"; }
    }
    this.values = this.all.map((value, row) => this.kept[row] ? value : 0);
  }
  keptAtAll() { return new Uint8Array(this.rows.count).fill(1); }

  showControls() {
    const { state, kind } = this;
    fill(this.views, chooser("View", this.viewKeys().map(key => [key, kind.views[key].title, kind.views[key].about]), state.view, view => this.set({ view, sort: "view", up: false })),
      chooser("Unit", [["bytes", "Bytes", "bytes (b)"], ["blocks", "Blocks", "blocks (b)"]], state.unit, unit => this.set({ unit })),
      el("span", { class: "dim", id: "about-view" }, this.accountTitle() + ": " + this.view().about));
    if (document.activeElement !== this.filter) this.filter.value = state.filter;
    this.command.textContent = this.commandText();
    this.nearest.textContent = this.commandIsNearest() ? "nearest in a terminal:" : "in a terminal:";
    this.copied.textContent = "";
  }
  commandIsNearest() { return false; }

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
    const view = Object.keys(this.kind.views)[Number(event.key) - 1];
    const actions = {
      "/": () => this.filter.focus(), b: () => this.set({ unit: this.state.unit === "bytes" ? "blocks" : "bytes" }), c: () => this.set({ callers: !this.state.callers }),
      l: () => this.set({ library: !this.state.library }), "?": () => this.help.showModal(),
    };
    if (view && this.viewKeys().includes(view)) { event.preventDefault(); this.set({ view, sort: "view", up: false }); }
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
