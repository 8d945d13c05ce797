// How our pages look: nothing is wider than a small telephone, every text can be read in light and
// in dark, and a picture of each is kept to be looked at.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { fillIn, launch, logIn, person } from "./support/chromium.mjs";
import { Place, artefacts, password } from "./support/place.mjs";
import { Shared } from "./support/shared.mjs";

let browser, place, throttled, outage, shared, refreshToken;
const changes = { sessions: { remember_me: true } };
before(async () => {
  mkdirSync(artefacts, { recursive: true });
  browser = await launch();
  place = await Place.start(changes);
  throttled = await Place.start(
    { ...changes, login: { throttle: { account_and_address: "1/1m" } } });
  shared = await Shared.start();
  outage = await Place.start({ ...changes, ...shared.sections() });
  const login = await fetch(outage.url + "/login", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "alice", password }) });
  refreshToken = login.headers.getSetCookie().map((line) => line.match(/_refresh=([^;]+)/)?.[1])
    .find((value) => value);
  await shared.endRedis();
});
after(async () => {
  await browser?.close();
  await place?.stop();
  await throttled?.stop();
  await outage?.stop();
  await shared?.stop();
});

// The contrast of every text with what is behind it (WCAG 2.2: 4.5 for ordinary text), and the
// width of the whole.
async function check(page, width) {
  const found = await page.evaluate(() => {
    const parse = (text) => text.match(/[\d.]+/g).map(Number);
    const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) =>
      0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor);
        if (color.length === 3 || color[3] > 0) return color;
      }
      return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("h1,p,label,button,a,input:not([type=hidden])")];
    const contrasts = texts.map((element) => {
      const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
      return [element.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    });
    const unnamed = [...document.querySelectorAll("input:not([type=hidden])")]
      .filter((input) => input.labels.length === 0).length;
    return { contrasts, unnamed, width: document.documentElement.scrollWidth,
             language: document.documentElement.lang, title: document.title };
  });
  for (const [tag, contrast] of found.contrasts) assert.ok(contrast >= 4.5, `${tag} ${contrast}`);
  assert.ok(found.width <= width, `${found.width} px wide`);
  assert.equal(found.unnamed, 0);
  assert.ok(found.language && found.title);
}

const ways = {
  login: async (context) => {
    const page = await context.newPage();
    await page.goto(place.url + "/orders");
    return page;
  },
  wrong_password: async (context) => {
    const page = await context.newPage();
    await page.goto(place.url + "/orders");
    await fillIn(page, "alice", "wrong");
    return page;
  },
  throttled: async (context) => {
    const page = await context.newPage();
    await page.goto(throttled.url + "/orders");
    await fillIn(page, "bob", "wrong");
    await fillIn(page, "bob", "wrong");
    assert.match(await page.textContent("[role=alert]"), /too many failed attempts/);
    return page;
  },
  store_down: async (context) => {
    const page = await context.newPage();
    await page.goto(outage.url + "/orders");
    await fillIn(page);
    assert.match(await page.textContent("[role=alert]"), /not possible at the moment/);
    return page;
  },
  session_unknown: async (context) => {
    await context.addCookies([{ name: "__Host-gatehouse_refresh", value: refreshToken, secure: true,
                                httpOnly: true, sameSite: "Lax", domain: "localhost", path: "/" }]);
    const page = await context.newPage();
    const answer = await page.goto(outage.url + "/orders");
    assert.equal(answer.status(), 503);
    assert.equal(await page.textContent("h1"), "Your session cannot be checked");
    return page;
  },
  expired: async (context) => {
    const page = await logIn(context, place.url + "/orders");
    const other = await context.browser().newContext();
    await other.addCookies(await context.cookies());
    const elsewhere = await other.newPage();
    await elsewhere.goto(place.url + "/logout");
    await Promise.all([elsewhere.waitForNavigation(), elsewhere.click("button")]);
    await other.close();
    await page.reload();
    assert.match(await page.textContent("main"), /Your session has ended/);
    return page;
  },
  not_saved: async (context) => {
    const page = await logIn(context, place.url + "/orders");
    await context.clearCookies();
    await Promise.all([page.waitForNavigation(), page.click("form button")]);
    assert.match(await page.textContent("main"), /was not saved/);
    return page;
  },
  application_gone: async (context) => {
    const page = await logIn(context, place.url + "/orders");
    const answer = await page.goto(place.url + "/gone");
    assert.equal(answer.status(), 502);
    assert.equal(await page.textContent("h1"), "The page cannot be shown");
    return page;
  },
  logout: async (context) => {
    const page = await logIn(context, place.url + "/");
    await page.goto(place.url + "/logout");
    return page;
  },
  signed_out: async (context) => {
    const page = await logIn(context, place.url + "/");
    await page.goto(place.url + "/logout");
    await Promise.all([page.waitForNavigation(), page.click("button")]);
    return page;
  },
  forbidden: async (context) => {
    const page = await logIn(context, place.url + "/", "bob");
    await page.goto(place.url + "/admin/");
    return page;
  },
  loop: async (context) => {
    const page = await context.newPage();
    await page.goto(place.url + "/orders");
    await context.clearCookies();
    await fillIn(page);
    return page;
  },
};

for (const [name, way] of Object.entries(ways)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${name}, ${colorScheme}`, async () => {
      const context = await person(browser, { colorScheme, viewport: { width: 320, height: 640 } });
      const page = await way(context);
      for (const width of [320, 1280]) {
        await page.setViewportSize({ width, height: width === 320 ? 640 : 800 });
        const picture = `${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: path.join(artefacts, picture) });
        await check(page, width);
      }
      await context.close();
    });
  }
}
