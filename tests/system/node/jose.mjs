// Interoperability with the libraries that Node programs use for tokens: what Gatehouse issues is
// verified by jose and jsonwebtoken, what they issue is accepted as a trusted issuer's.
// GATEHOUSE_URL and GATEHOUSE_PASSWORD say where and how; ALGORITHM what Gatehouse signs with,
// SECRET_FILE its secret for HS*; ISSUER_KEYS is a directory with private keys of trusted issuers
// (ALGORITHM.pem, secret.txt).
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";

import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";

const { GATEHOUSE_URL: base, GATEHOUSE_PASSWORD: password, ALGORITHM, SECRET_FILE, ISSUER_KEYS } =
  process.env;

async function login() {
  const response = await fetch(`${base}/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "alice", password }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).accessToken;
}

function secret() {
  const text = readFileSync(SECRET_FILE, "utf8").trim();
  return Buffer.from(text.replace(/^base64:/, ""), "base64");
}

const ask = async (token) =>
  (await fetch(`${base}/x`, { headers: { Authorization: `Bearer ${token}` } })).status;

if (ALGORITHM) {
  const expected = { issuer: "gatehouse", audience: "gatehouse", typ: "at+jwt" };

  test(`jose verifies our ${ALGORITHM} tokens`, async () => {
    const key = SECRET_FILE
      ? secret()
      : jose.createRemoteJWKSet(new URL(`${base}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jose.jwtVerify(await login(), key, {
      ...expected,
      algorithms: [ALGORITHM],
    });
    assert.equal(protectedHeader.alg, ALGORITHM);
    assert.equal(payload.sub, "alice");
    assert.deepEqual(payload.groups, ["staff", "admins"]);
  });

  // jsonwebtoken knows no EdDSA.
  if (ALGORITHM !== "EdDSA") {
    test(`jsonwebtoken verifies our ${ALGORITHM} tokens`, async () => {
      let key = SECRET_FILE && secret();
      if (!key) {
        const { keys } = await (await fetch(`${base}/.well-known/jwks.json`)).json();
        key = createPublicKey({ key: keys[0], format: "jwk" });
      }
      const payload = jsonwebtoken.verify(await login(), key, {
        algorithms: [ALGORITHM],
        issuer: "gatehouse",
        audience: "gatehouse",
      });
      assert.equal(payload.sub, "alice");
    });
  }
}

if (ISSUER_KEYS) {
  const claims = { groups: ["guests"] };
  const issuer = (algorithm) => `https://${algorithm.toLowerCase()}.example.com`;

  for (const algorithm of ["ES256", "RS256", "PS256", "EdDSA", "HS256"]) {
    const file = `${ISSUER_KEYS}/${algorithm}.pem`;
    const load = async () =>
      existsSync(file)
        ? jose.importPKCS8(readFileSync(file, "utf8"), algorithm)
        : readFileSync(`${ISSUER_KEYS}/secret.txt`);

    const make = async (change = (token) => token) =>
      change(
        new jose.SignJWT(claims)
          .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid: "k1" })
          .setIssuer(issuer(algorithm))
          .setAudience("app")
          .setSubject("zoe")
          .setIssuedAt()
          .setExpirationTime("5m"),
      ).sign(await load());

    test(`a ${algorithm} token made by jose is accepted`, async () => {
      assert.equal(await ask(await make()), 200);
    });

    test(`an expired ${algorithm} token made by jose is refused`, async () => {
      const past = Math.floor(Date.now() / 1000) - 120;
      assert.equal(await ask(await make((token) => token.setExpirationTime(past))), 401);
    });

    test(`a ${algorithm} token for somebody else is refused`, async () => {
      assert.equal(await ask(await make((token) => token.setAudience("other"))), 401);
    });

    if (algorithm !== "EdDSA") {
      test(`a ${algorithm} token made by jsonwebtoken is accepted`, async () => {
        const key = readFileSync(existsSync(file) ? file : `${ISSUER_KEYS}/secret.txt`);
        const token = jsonwebtoken.sign(claims, key, {
          algorithm,
          issuer: issuer(algorithm),
          audience: "app",
          subject: "zoe",
          expiresIn: "5m",
          header: { typ: "at+jwt", kid: "k1" },
        });
        assert.equal(await ask(token), 200);
      });
    }
  }
}
