// Pages of somebody else, on another site and on a sibling port of the same one, whose cookies we
// get with every request: they can neither log a victim in, nor post to the application, nor log
// the victim out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, logIn, person } from "./support/chromium.mjs";
import { Place, foreignSite, password } from "./support/place.mjs";

let browser, place, foreign;
const form = (action, fields, method = "post") =>
  `<form method="${method}" action="${action}">` +
  Object.entries(fields).map(([n, v]) => `<input name="${n}" value="${v}">`).join("") +
  `</form><script>onload = () => document.forms[0].submit()</script>`;
before(async () => {
  browser = await launch();
  place = await Place.start();
  foreign = await foreignSite({
    "/login": form(place.url + "/login", { username: "bob", password, csrf: "1.x", rd: "/" }),
    "/post": form(place.url + "/save", { note: "evil" }),
    "/logout": form(place.url + "/logout", {}),
    "/image": `<img src="${place.url}/logout"><img src="${place.url}/token">`,
    "/frame": `<iframe src="${place.url}/login"></iframe>`,
    "/socket": `<script>const s = new WebSocket("${place.url.replace("http", "ws")}/live");
      s.onopen = () => document.title = "open";
      s.onerror = () => document.title = "refused";</script>`,
  });
});
after(async () => {
  await browser?.close();
  await place?.stop();
  foreign?.server.close();
});

for (const host of ["127.0.0.1", "localhost"]) {
  const kind = host === "localhost" ? "a sibling" : "another site";
  const at = (path) => `http://${host}:${foreign.port}${path}`;

  test(`${kind} cannot log a victim in`, async () => {
    const context = await person(browser);
    const page = await context.newPage();
    await page.goto(place.url + "/login");  // the victim has seen the form
    await page.goto(at("/login"));
    await page.waitForURL(place.url + "/login");
    assert.match(await page.textContent("[role=alert]"), /Another site sent this/);
    assert.equal((await page.goto(place.url + "/")).status(), 401);
    await context.close();
  });

  test(`${kind} cannot post to the application`, async () => {
    const context = await person(browser);
    await logIn(context, place.url + "/");
    const page = await context.newPage();
    await page.goto(at("/post"));
    await page.waitForURL(place.url + "/save");
    assert.ok(!(await page.content()).includes("Secret orders"));
    assert.deepEqual(place.app.posts, []);
    await context.close();
  });

  test(`${kind} cannot log a victim out`, async () => {
    const context = await person(browser);
    await logIn(context, place.url + "/");
    const page = await context.newPage();
    await page.goto(at("/logout"));
    await page.waitForURL(place.url + "/logout");
    await page.goto(at("/image"));
    await page.goto(place.url + "/");
    assert.equal(await page.textContent("h1"), "Secret orders of alice");
    await context.close();
  });

  test(`${kind} cannot open the victim's WebSocket`, async () => {
    const context = await person(browser);
    await logIn(context, place.url + "/");
    const page = await context.newPage();
    await page.goto(at("/socket"));
    await page.waitForFunction(() => document.title !== "");
    assert.equal(await page.title(), "refused");
    await context.close();
  });
}

test("our pages cannot be framed", async () => {
  const context = await person(browser);
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${foreign.port}/frame`);
  const frame = page.frames().find((one) => one !== page.mainFrame());
  assert.equal(await frame?.$("#password") ?? null, null);
  await context.close();
});
