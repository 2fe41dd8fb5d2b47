// SPDX-License-Identifier: Apache-2.0
// Drives a Chromium through its devtools protocol, over a pipe: no port, no network, nothing to install but the browser.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

function findBrowser() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"])
    if (spawnSync("which", [name]).status === 0) return name;
  return null;
}

class Browser {
  // --no-sandbox: as root, the browser starts only so. It reads nothing but files that tests wrote.
  static async start() {
    const browser = new Browser();
    browser.folder = fs.mkdtempSync(path.join(os.tmpdir(), "dwell-browser-"));
    browser.child = spawn(findBrowser(), ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
      "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--user-data-dir=" + browser.folder],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.child.once("exit", () => { for (const { reject } of browser.waiting.values()) reject(new Error("the browser has ended")); });
    browser.next = 1;
    browser.waiting = new Map();
    browser.listeners = [];
    let rest = "";
    browser.child.stdio[4].setEncoding("utf8").on("data", text => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages) browser.received(JSON.parse(message));
    });
    await browser.send("Target.setDiscoverTargets", { discover: true });
    return browser;
  }

  received(message) {
    if (!message.id) { for (const listener of this.listeners) listener(message); return; }
    const { resolve, reject } = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    message.error ? reject(new Error(message.error.message)) : resolve(message.result);
  }

  send(method, params, sessionId) {
    const id = this.next++;
    this.child.stdio[3].write(JSON.stringify({ id, method, params: params || {}, sessionId }) + "\0");
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  // A tab that shows a file; everything that its console says and that it requests is kept.
  async open(file, { width = 1300, height = 1000, dark = false, fragment = "", phone = false } = {}) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Tab(this, targetId, sessionId);
    await page.send("Page.enable");
    await page.send("Runtime.enable");
    await page.send("Log.enable");
    await page.send("Network.enable");
    await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: phone });
    await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    await page.send("Page.navigate", { url: "file://" + file + (fragment ? "#" + fragment : "") });
    await page.until("document.documentElement.dataset.ready");
    return page;
  }

  async stop() {
    const ended = new Promise(resolve => this.child.once("exit", resolve));
    this.send("Browser.close").catch(() => {});
    await ended;
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Tab {
  constructor(browser, target, session) {
    Object.assign(this, { browser, target, session, console: [], requests: [] });
    browser.listeners.push(message => {
      if (message.sessionId !== session) return;
      if (message.method === "Runtime.consoleAPICalled") this.console.push(JSON.stringify(message.params.args));
      if (message.method === "Runtime.exceptionThrown") this.console.push(message.params.exceptionDetails.exception?.description || message.params.exceptionDetails.text);
      if (message.method === "Log.entryAdded") this.console.push(message.params.entry.text);
      if (message.method === "Network.requestWillBeSent") this.requests.push(message.params.request.url);
    });
  }
  send(method, params) { return this.browser.send(method, params, this.session); }

  async run(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(expression + ": " + (exceptionDetails.exception?.description || exceptionDetails.text));
    return result.value;
  }
  // Asks the page itself to wait, frame by frame.
  async until(condition) {
    for (;;) {
      const met = await this.run(`new Promise(resolve => { let left = 600; const ask = () => { if (${condition}) resolve(true); else if (--left) requestAnimationFrame(ask); else resolve(false); }; ask(); })`).catch(() => null);
      if (met) return;
      if (met === false) throw new Error("never came true: " + condition + "; console: " + this.console.join("; "));
    }
  }
  text(selector) { return this.run(`document.querySelector(${JSON.stringify(selector)}).textContent`); }
  click(selector) { return this.run(`document.querySelector(${JSON.stringify(selector)}).click()`); }
  async key(key, modifiers = 0) {
    const codes = { Escape: 27, Enter: 13, Backspace: 8, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 };
    const text = key.length === 1 ? key : undefined;
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, text, modifiers, windowsVirtualKeyCode: codes[key] });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, modifiers, windowsVirtualKeyCode: codes[key] });
  }
  async mouse(type, x, y, buttons = 0) {
    await this.send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" && !buttons ? "none" : "left", buttons, clickCount: 1 });
  }
  // Where an element is in the window, scrolled into it.
  box(selector) { return this.run(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.scrollIntoView({ block: "center" }); const b = e.getBoundingClientRect(); return { x: b.x, y: b.y, width: b.width, height: b.height }; })()`); }
  async picture(file, whole) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: !!whole });
    fs.writeFileSync(file, Buffer.from(data, "base64"));
  }
  close() { return this.browser.send("Target.closeTarget", { targetId: this.target }); }
}

module.exports = { Browser, findBrowser };
