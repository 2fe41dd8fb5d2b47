// SPDX-License-Identifier: Apache-2.0
// Call sites as a table: sorted by any column, with as many rows in the document as are seen.

const SEEN_ROWS = 16, PRINTED_ROWS = 60;

// Key, title, how it reads, and on how narrow a screen it is still shown (3: always).
const COLUMNS = [
  { key: "retained_bytes", title: "retained", unit: "bytes", rank: 3 },
  { key: "share", title: "share", unit: "share", rank: 2 },
  { key: "retained", title: "blocks", unit: "blocks", rank: 1 },
  { key: "growth_per_minute", title: "growth/min", unit: "bytes", signed: true, rank: 2, whole: true },
  { key: "grown_bytes", title: "grew", unit: "bytes", signed: true, rank: 2, ranged: true },
  { key: "born_bytes", title: "survivors", unit: "bytes", rank: 1, births: true },
  { key: "oldest", title: "oldest", unit: "age", rank: 2, whole: true },
  { key: "alloc_bytes", title: "allocated", unit: "bytes", rank: 2 },
  { key: "allocs", title: "allocations", unit: "blocks", rank: 1 },
  { key: "freed_bytes", title: "freed", unit: "bytes", rank: 1 },
  { key: "temporary", title: "temporary", unit: "temporary", rank: 1 },
  { key: "peak_bytes", title: "peak", unit: "bytes", rank: 1 },
];

// As page.css has it: two lines where there is little room.
function rowHeightPx() { return window.innerWidth <= 640 ? 44 : 26; }

class Table {
  constructor(page) {
    this.page = page;
    this.head = el("tr");
    this.body = el("tbody");
    this.scroll = el("div", { class: "scroll", tabindex: "0", id: "table-scroll", role: "region", "aria-label": "Call sites; arrow keys choose one", onscroll: () => this.drawRows() },
      el("table", { id: "sites" }, el("thead", null, this.head), this.body));
    this.about = el("p", { class: "dim", id: "table-about", "aria-live": "polite" });
    this.element = el("section", { id: "table", "aria-label": "Call sites" }, el("h2", null, "Call sites"), this.about, this.scroll);
    this.scroll.addEventListener("keydown", event => this.key(event));
    this.body.addEventListener("click", event => this.click(event));
    window.addEventListener("beforeprint", () => this.drawRows(PRINTED_ROWS));
    window.addEventListener("afterprint", () => this.drawRows());
    this.order = [];
  }

  show() {
    const { state, rows, kept } = this.page;
    this.columns = this.page.columns();
    this.total = rows.retained_bytes.reduce((sum, bytes) => sum + bytes, 0);
    this.order = [];
    for (let row = 0; row < rows.count; row++) if (kept[row]) this.order.push(row);
    const value = this.sortedBy(), up = state.up ? 1 : -1;
    this.order.sort((a, b) => up * (value[a] - value[b]) || rows.retained_bytes[b] - rows.retained_bytes[a] || rows.alloc_bytes[b] - rows.alloc_bytes[a] || a - b);
    this.drawHead();
    this.scroll.scrollTop = 0;
    this.drawRows();
    this.drawAbout();
  }

  sortedBy() {
    const { state, rows, model, all } = this.page;
    if (state.sort === "view") return this.page.view().signed ? all : all.map(Math.abs);
    if (!["growth_per_minute", "oldest"].includes(state.sort)) return rows[state.sort];
    const of = state.sort === "oldest" ? oldestOfRow : (...row) => growthOfRow(...row) ?? -Infinity;
    return Float64Array.from(rows.site, site => site < 0 ? -Infinity : of(model, state.account, site));
  }

  // What a filter leaves out is said, so that sums can be checked.
  drawAbout() {
    const { state, rows, values, all } = this.page, view = this.page.view();
    const add = (sum, value) => sum + value, shown = values.reduce(add, 0), sum = all.reduce(add, 0);
    const read = value => valueText(value, state.unit, view.signed);
    const others = rows.count && rows.site[rows.count - 1] < 0 ? rows.count - 1 : -1, unchanged = this.page.leftOutText();
    let text = grouped(this.order.length) + " call site" + (this.order.length === 1 ? "" : "s") + ", " + view.title.toLowerCase() + ": " + read(shown);
    if (state.filter) text += " of " + read(sum) + " (" + percentText(shown, sum) + ") match";
    if (others >= 0) {
      const account = this.page.model.accounts[state.account];
      text += ". In a range, " + grouped(account.other_sites) + " small call sites are one row: " + read(all[others]) + ", " + percentText(Math.abs(all[others]), all.reduce((whole, value) => whole + Math.abs(value), 0)) + " of it";
    }
    this.about.textContent = text + (unchanged ? ". " + unchanged : "") + ".";
  }

  isSorted(column) {
    const { state } = this.page;
    return state.sort === column.key || (state.sort === "view" && this.page.view()[state.unit] === column.key);
  }
  // The column that is sorted by is shown on any screen.
  classOf(column) { return "rank" + (this.isSorted(column) ? 3 : column.rank); }

  drawHead() {
    const { state } = this.page;
    fill(this.head, this.columns.map(column => {
      const sorted = this.isSorted(column);
      if (column.key === "share") return el("th", { scope: "col", class: this.classOf(column) }, column.title);
      return el("th", { scope: "col", class: this.classOf(column), "aria-sort": sorted ? (state.up ? "ascending" : "descending") : "none" },
        el("button", { type: "button", "data-sort": column.key, onclick: () => this.page.set({ sort: column.key, up: sorted && !state.up }) }, column.title + (sorted ? (state.up ? " ↑" : " ↓") : "")));
    }), this.page.drawsTime() ? el("th", { scope: "col", class: "rank2" }, "live") : null, this.page.holdersKnown() ? el("th", { scope: "col", class: "rank2 held", title: "what leads to the blocks that were left when the recording ended" }, "held by") : null, el("th", { scope: "col", class: "site" }, "call site"));
  }

  drawRows(printed) {
    const first = printed ? 0 : Math.max(0, Math.floor(this.scroll.scrollTop / rowHeightPx()) - 4), last = Math.min(this.order.length, printed || first + SEEN_ROWS + 8);
    const space = rows => el("tr", { class: "space", "aria-hidden": "true" }, spaceCell(rows * rowHeightPx()));
    const shown = [];
    for (let i = first; i < last; i++) shown.push(this.rowElement(this.order[i], i));
    fill(this.body, first ? space(first) : null, shown, last < this.order.length && !printed ? space(this.order.length - last) : null);
  }

  rowElement(row, index) {
    const { model, rows, state } = this.page, site = rows.site[row];
    const name = site < 0 ? grouped(model.accounts[state.account].other_sites) + " smaller call sites" : this.page.tagOf(site) + siteText(model, model.asks[site], 4);
    return el("tr", { "data-site": site, "data-index": index, class: site >= 0 && site === state.site ? "chosen" : "", "aria-rowindex": index + 1 },
      this.columns.map(column => el("td", { class: this.classOf(column), "data-key": column.key }, this.cellText(column, row))),
      this.page.drawsTime() ? el("td", { class: "rank2" }, this.page.curveOf(row)) : null,
      this.page.holdersKnown() ? el("td", { class: "rank2 held" }, site < 0 ? "" : model.texts[model.sites.held[site]]) : null,
      el("td", { class: "site", title: name }, el("div", null, name)));
  }

  cellText(column, row) {
    const { model, rows } = this.page, site = rows.site[row];
    if (column.unit === "share") return percentText(rows.retained_bytes[row], this.total);
    const { account } = this.page.state;
    if (column.unit === "age") return oldestOfRow(model, account, site) ? durationText(oldestOfRow(model, account, site) - 1) : "-";
    if (column.unit === "temporary") return percentText(rows.temporary[row], rows.allocs[row]);
    if (column.key === "growth_per_minute") return growthOfRow(model, account, site) === null ? "-" : bytesText(growthOfRow(model, account, site), true);
    const error = column.key === "retained_bytes" && !this.page.state.range && site >= 0 ? Math.hypot(...sitesOfRow(model, account, site).map(one => model.sites.retained_error[one])) : 0;
    return valueText(rows[column.key][row], column.unit, column.signed) + (error ? " ±" + bytesText(error) : "");
  }

  click(event) {
    const row = event.target.closest("tr[data-site]");
    if (row && row.dataset.site >= 0) this.page.set({ site: Number(row.dataset.site) });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: SEEN_ROWS, PageUp: -SEEN_ROWS }[event.key];
    if (!step || event.target !== this.scroll || !this.order.length) return;
    event.preventDefault();
    const { rows, state } = this.page, at = this.order.findIndex(row => rows.site[row] === state.site);
    const next = Math.min(Math.max(at + step, 0), this.order.length - 1), top = next * rowHeightPx();
    if (rows.site[this.order[next]] < 0) return;
    this.page.set({ site: rows.site[this.order[next]] });
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    if (top > this.scroll.scrollTop + (SEEN_ROWS - 3) * rowHeightPx()) this.scroll.scrollTop = top - (SEEN_ROWS - 3) * rowHeightPx();
  }
}

function spaceCell(height) {
  const cell = el("td", { colspan: "30" });
  cell.style.height = height + "px";
  return cell;
}
