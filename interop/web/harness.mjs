// Cases: named functions with a hard time limit, run once each, one line of result each.

import { stripVTControlCharacters } from "node:util";

// A case that is not through by then has failed: a bound on hanging, not an expectation.
const CASE_MS_MAX = 120_000;

const cases = [];

export function test(name, run) {
  cases.push({ name, run });
}

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

export function equal(found, wanted, what) {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(value));
  check(a === b, `${what}: ${a}, not ${b}`);
}

// Accounts that nobody has used yet.
const left = Object.entries(JSON.parse(process.env.XMPP_ACCOUNTS)).slice(Number(process.env.ACCOUNTS_FROM ?? 0));

export function account() {
  if (!left.length) throw new Error("more cases than accounts: raise `# needs-accounts` in web.sh");
  const [jid, password] = left.shift();
  return { jid, password, node: jid.split("@")[0], domain: jid.split("@")[1] };
}

export const place = `localhost:${process.env.XMPP_HTTPS_PORT}`;
export const websocket = `wss://${place}/xmpp-websocket`;
export const bosh = `https://${place}/http-bind`;

// What a browser says of what it has waited for has several lines, in colours.
const inOneLine = (text) => stripVTControlCharacters(text).split(/\s*\n\s*/).filter(Boolean).slice(0, 4).join(" | ");

// What is closed when a case ends, in whatever state it is.
let closing = [];

export function later(close) {
  closing.push(close);
}

export async function run(partner, chosen) {
  let failed = 0;
  let ran = 0;
  for (const { name, run } of cases) {
    if (chosen.length && !chosen.some((prefix) => name.startsWith(prefix))) continue;
    ran += 1;
    let timer;
    const limit = new Promise((_, refuse) => {
      timer = setTimeout(() => refuse(new Error(`not within ${CASE_MS_MAX} ms`)), CASE_MS_MAX);
    });
    try {
      await Promise.race([run(), limit]);
      console.log(`ok ${partner}/${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${partner}/${name}: ${inOneLine(String(error?.message ?? error))}`);
    }
    clearTimeout(timer);
    for (const close of closing.splice(0)) {
      try {
        await close();
      } catch (error) {
        console.error(error);
      }
    }
  }
  if (!ran) console.log(`not ok ${partner}/none: no case is named ${chosen.join(" or ")}`);
  return failed || !ran ? 1 : 0;
}
