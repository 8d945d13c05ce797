// The client of the well-known Node tutorials: login, an access token in the Authorization header,
// a refresh token in JSON bodies, logout. It was written for Express; here Gatehouse answers.
// GATEHOUSE_URL and GATEHOUSE_PASSWORD say where and how.
import assert from "node:assert/strict";
import test from "node:test";

const { GATEHOUSE_URL: base, GATEHOUSE_PASSWORD: password } = process.env;

function post(path, body, headers = {}) {
  return fetch(base + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function login(field = "name") {
  const response = await post("/login", { [field]: "alice", password });
  assert.equal(response.status, 200);
  return response.json();
}

const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });

for (const field of ["name", "email", "username"]) {
  test(`login with { ${field}, password }`, async () => {
    const tokens = await login(field);
    assert.ok(tokens.accessToken && tokens.refreshToken);
    const response = await fetch(`${base}/posts`, bearer(tokens.accessToken));
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
  });
}

test("wrong password is 401", async () => {
  assert.equal((await post("/login", { name: "alice", password: "wrong" })).status, 401);
});

test("no token is 401", async () => {
  assert.equal((await fetch(`${base}/posts`)).status, 401);
  assert.equal((await post("/token", {})).status, 401);
});

test("an invalid access token is 401, an invalid refresh token 403", async () => {
  assert.equal((await fetch(`${base}/posts`, bearer("nonsense"))).status, 401);
  const response = await post("/token", { token: "nonsense" });
  assert.equal(response.status, 403);
  assert.deepEqual(await response.json(), { error: "Forbidden", message: "Invalid refresh token" });
});

test("POST /token { token } gives a new access token", async () => {
  const tokens = await login();
  const response = await post("/token", { token: tokens.refreshToken });
  assert.equal(response.status, 200);
  const fresh = await response.json();
  assert.notEqual(fresh.accessToken, tokens.accessToken);
  assert.equal((await fetch(`${base}/posts`, bearer(fresh.accessToken))).status, 200);
  assert.equal((await post("/token", { token: fresh.refreshToken })).status, 200);
});

test("the access token may come along with every request", async () => {
  const tokens = await login();
  const headers = { Authorization: `Bearer ${tokens.accessToken}` };
  assert.equal((await post("/token", { token: tokens.refreshToken }, headers)).status, 200);
});

for (const method of ["POST", "DELETE"]) {
  test(`${method} /logout ends the session`, async () => {
    const tokens = await login();
    const response = await fetch(`${base}/logout`, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: tokens.refreshToken }),
    });
    if (method === "DELETE") {
      // Some tutorials use DELETE; Gatehouse documents POST and says so.
      assert.ok([204, 405].includes(response.status));
      return;
    }
    assert.equal(response.status, 204);
    assert.equal((await post("/token", { token: tokens.refreshToken })).status, 403);
  });
}
