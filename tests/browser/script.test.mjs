// The session script in a real page: tabs share a refresh, a page learns that its session is about
// to end, and a request that met an expired one is repeated.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, logIn, person } from "./support/chromium.mjs";
import { Place, until } from "./support/place.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

const endpoints = { session_js: "/session.js" };

async function withScript(page) {
  await page.evaluate(() => {
    window.heard = [];
    for (const name of ["ending", "ended"]) {
      addEventListener("gatehouse:" + name, (event) => window.heard.push([name, event.detail]));
    }
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = "/session.js";
      script.onload = resolve;
      document.head.append(script);
    });
  });
}

test("the script is small and cacheable", async () => {
  const place = await Place.start({ endpoints });
  const answer = await fetch(place.url + "/session.js");
  assert.equal(answer.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.match(answer.headers.get("cache-control"), /max-age/);
  assert.ok((await answer.text()).length < 4096);
  await place.stop();
});

test("tabs that refresh at once share one refresh", async () => {
  const place = await Place.start({ endpoints });
  const context = await person(browser);
  const tabs = [await logIn(context, place.url + "/")];
  for (let n = 0; n < 3; ++n) {
    tabs.push(await context.newPage());
    await tabs.at(-1).goto(place.url + "/");
  }
  for (const tab of tabs) await withScript(tab);
  const began = Date.now();
  const results = await Promise.all(tabs.map((tab) =>
    tab.evaluate((since) => window.gatehouse.refresh(since), began)));
  assert.deepEqual(results, [true, true, true, true]);
  const rotated = () => place.records().filter((record) =>
    record.event === "refresh" && record.outcome === "rotated").length;
  await until(() => rotated() >= 1, "the audit line");
  assert.equal(rotated(), 1);
  await context.close();
  await place.stop();
});

test("a page hears that its session is about to end, and that it has", async () => {
  const place = await Place.start({ endpoints, tokens: {
    access: { life: "2s" }, refresh: { idle_life: "8s", absolute_life: "8s" } } });
  const context = await person(browser);
  const page = await logIn(context, place.url + "/");
  await withScript(page);
  await page.waitForFunction(() => window.heard.some(([name]) => name === "ending"));
  await page.waitForFunction(() => window.heard.some(([name]) => name === "ended"));
  const [, detail] = await page.evaluate(() => window.heard[0]);
  assert.ok(detail.seconds > 0 && detail.seconds <= 8);
  await context.close();
  await place.stop();
});

test("an event stream ends with its session", async () => {
  const place = await Place.start({ tokens: {
    access: { life: "2s" }, refresh: { idle_life: "5s", absolute_life: "5s" } } });
  const context = await person(browser);
  const page = await logIn(context, place.url + "/");
  const how = await page.evaluate(async () => {
    const answer = await fetch("/events");
    const reader = answer.body.getReader();
    const began = performance.now();
    try {
      while (!(await reader.read()).done);
    } catch { /* cut */ }
    return { status: answer.status, seconds: (performance.now() - began) / 1000 };
  });
  assert.equal(how.status, 200);
  assert.ok(how.seconds > 2.5, `${how.seconds} s: it outlives its access token`);
  assert.equal((await page.reload()).status(), 401);
  await context.close();
  await place.stop();
});
