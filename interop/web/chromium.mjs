// Debian's Chromium, and a host for pages.

import { createServer } from "node:http";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { chromium } from "playwright-core";

import { later } from "./harness.mjs";

export const packages = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "..");

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // Some pages have pictures of far away: nothing leaves this machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]; // prettier-ignore
const TYPES = {
  ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json",
  ".svg": "image/svg+xml", ".wasm": "application/wasm", ".woff2": "font/woff2",
}; // prettier-ignore

// Serves the file that `find` has for a path, if any; the port.
export async function serve(find) {
  const server = createServer((request, response) => {
    const file = find(new URL(request.url, "http://localhost").pathname);
    response.writeHead(file ? 200 : 404, { "content-type": (file && TYPES[extname(file)]) ?? "text/plain" });
    response.end(file && readFileSync(file));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  later(() => server.close());
  return server.address().port;
}

// A browser; each context of it is a device with nothing on it.
export async function launch() {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  later(() => browser.close());
  return browser;
}

// Where a file for people to look at goes.
export function artifact(name) {
  mkdirSync(process.env.ARTIFACTS, { recursive: true });
  return join(process.env.ARTIFACTS, name);
}
