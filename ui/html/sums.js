// SPDX-License-Identifier: Apache-2.0
// Processes of one program, added up: equal call sites are one row. A sum is an account as others are; `members` are the accounts of
// its processes. A row of it stands for all call sites with its stack, and is named by the first of them in the report.

function addSums(model, memory, column) {
  model.memberSites = new Map();  // of the first call site of each row: all of them
  model.leadOf = null;
  model.usualAccount = 0;
  if (!memory.leads) return;
  const sums = new Map();
  model.accounts.forEach((account, number) => {
    const key = memory.leads[account.process] + " " + account.kind, sum = sums.get(key) || { process: memory.leads[account.process], kind: account.kind, members: [] };
    sum.members.push(number);
    sums.set(key, sum);
  });
  const programs = Array.from(sums.values()).filter(sum => sum.members.length > 1);
  if (!programs.length) return;
  joinSites(model, memory);
  for (const sum of programs) {
    const members = sum.members.map(number => model.accounts[number]);
    model.accounts.push(Object.assign(sum, { other_slot: -1, other_sites: members.reduce((count, one) => count + one.other_sites, 0) }));
  }
  const growth = column("sum_growth_per_minute"), known = column("sum_growth_known");
  model.sumGrowth = new Map(Array.from(column("sum_site"), (site, i) => [site, known[i] ? growth[i] : null]));
  model.usualAccount = model.accounts.length - programs.length;
}

function joinSites(model, memory) {
  const { sites } = model, first = new Map();
  model.leadOf = new Int32Array(model.count);
  for (let site = 0; site < model.count; site++) {
    const key = memory.leads[sites.process[site]] + " " + sites.kind[site] + " " + sites.incomplete[site] + " " + sites.path[site];
    if (!first.has(key)) { first.set(key, site); model.memberSites.set(site, []); }
    model.leadOf[site] = first.get(key);
    model.memberSites.get(first.get(key)).push(site);
  }
}

// All call sites that a row of an account stands for, and their slots; site -1: those without a series of their own.
function sitesOfRow(model, account, site) { return model.accounts[account].members && site >= 0 ? model.memberSites.get(site) : [site]; }
function slotsOfRow(model, account, site) {
  const one = model.accounts[account], members = one.members ? one.members.map(number => model.accounts[number]) : [one];
  const slots = site < 0 ? members.map(member => member.other_slot) : sitesOfRow(model, account, site).map(member => model.slotOfSite[member]);
  return slots.filter(slot => slot >= 0);
}

function summedRows(model, account, range) {
  const at = new Map(), parts = account.members.map(number => rowsOf(model, number, range));
  for (const rows of parts) for (const site of rows.site) {
    const lead = site < 0 ? -1 : model.leadOf[site];
    if (!at.has(lead)) at.set(lead, 0);
  }
  const sites = Array.from(at.keys()).sort((a, b) => (a < 0) - (b < 0) || a - b), sum = { site: Int32Array.from(sites), count: sites.length };
  sites.forEach((site, row) => at.set(site, row));
  for (const name of ROW_FIGURES) {
    sum[name] = new Float64Array(sites.length);
    for (const rows of parts) for (let row = 0; row < rows.count; row++) sum[name][at.get(rows.site[row] < 0 ? -1 : model.leadOf[rows.site[row]])] += rows[name][row];
  }
  return sum;
}

// Of a row: a number of the report, or null where it is not known.
function growthOfRow(model, account, site) {
  if (site < 0) return null;
  if (model.accounts[account].members && model.sumGrowth.has(site)) return model.sumGrowth.get(site);
  const members = sitesOfRow(model, account, site).filter(member => model.sites.growth_known[member]);
  return members.length ? model.sites.growth_per_minute[members[0]] : null;
}
function oldestOfRow(model, account, site) {
  return site < 0 ? 0 : sitesOfRow(model, account, site).reduce((most, member) => Math.max(most, model.sites.oldest[member]), 0);
}

// "Heap of 4 processes of nginx", "Heap of nginx (77)"; of a recording of one process only the kind.
function accountTitleOf(data, account) {
  const processes = data.report.processes, title = KIND_TITLES[account.kind];
  if (account.members) return title + " of " + grouped(account.members.length) + " processes of " + processes[account.process].name;
  return processes.length > 1 ? title + " of " + processText(processes[account.process]) : title;
}
