// Arbitrary bytes as a token and as each part of one, against keys of several algorithms. Only the
// tokens that were made here may be accepted; anything else that passes is a forgery, and the
// fuzzer stops.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "auth/bytes.h"
#include "auth/jwt.h"

namespace {

using auth::Algorithm;

const auth::Time now{auth::milliseconds{1'700'000'000'000}};

struct World {
  auth::TokenVerifier verifier;
  auth::Key secret = auth::Key::generate("HS256", Algorithm::hs256);
  std::vector<std::string> good;
};

World make_world() {
  World world;
  std::vector<auth::Key> keys = {world.secret};
  for (const auto algorithm :
       {Algorithm::hs512, Algorithm::rs256, Algorithm::ps256, Algorithm::es256, Algorithm::eddsa}) {
    keys.push_back(auth::Key::generate(std::string(auth::name(algorithm)), algorithm));
  }
  auth::AccessClaims claims;
  claims.subject = "alice";
  claims.groups = {"users"};
  claims.session_id = "AAAAAAAAAAAAAAAAAAAAAA";
  for (const auto& key : keys) {
    const auth::KeyRing ring({key});
    world.good.push_back(auth::issue_access_token(ring, "gatehouse", {"gatehouse"}, claims, now,
                                                  auth::milliseconds{900'000})
                             .value());
  }
  auth::IssuerRules rules;
  rules.issuer = "gatehouse";
  rules.audience = {"gatehouse"};
  rules.token_types = {"at+jwt"};
  rules.keys = auth::KeyRing(keys);
  rules.ours = true;
  auth::IssuerRules foreign = rules;
  foreign.issuer = "other";
  foreign.ours = false;
  foreign.claims = {{"groups", "realm_access.roles"}};
  world.verifier = auth::TokenVerifier({rules, foreign});
  return world;
}

[[noreturn]] void forged(std::string_view token) {
  std::fprintf(stderr, "accepted: %.*s\n", static_cast<int>(token.size()), token.data());
  std::abort();
}

void check(const World& world, std::string_view token) {
  const bool accepted = world.verifier.verify(token, now).has_value();
  const bool made_here = std::find(world.good.begin(), world.good.end(), token) != world.good.end();
  if (accepted != made_here) forged(token);
}

// The fuzzer's bytes in each place of a good token, so that it gets past the first checks.
void check_in_places(const World& world, const std::string& good, std::string_view bytes) {
  const auto first = good.find('.');
  const auto second = good.rfind('.');
  const auto encoded = auth::base64url_encode(bytes);
  check(world, encoded + good.substr(first));
  check(world, good.substr(0, first + 1) + encoded + good.substr(second));
  check(world, good.substr(0, second + 1) + encoded);
}

const World& the_world() {
  static const World world = make_world();
  return world;
}

}  // namespace

// Making RSA keys may take seconds, which no input is to be blamed for.
extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  static_cast<void>(the_world());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const World& world = the_world();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(world, bytes);
  check_in_places(world, world.good[size % world.good.size()], bytes);
  // What is behind the signature: the reader of claims, which a trusted issuer could hit, and key
  // sets, which come from files and other hosts. Only crashes count there.
  const std::string header = R"({"alg":"HS256","typ":"at+jwt","kid":"HS256"})";
  std::string token = auth::base64url_encode(header) + '.' + auth::base64url_encode(bytes);
  token += '.' + auth::base64url_encode(world.secret.sign(token).value());
  static_cast<void>(world.verifier.verify(token, now));
  static_cast<void>(auth::keys_from_jwks(bytes, {Algorithm::rs256, Algorithm::es256}));
  return 0;
}
