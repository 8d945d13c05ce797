// What Redis runs for us is looked at as text: no Redis is needed to see what it could not do.
#include "proxy/store/redis_scripts.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace proxy::store {
namespace {

std::vector<redis::Script> all_scripts() {
  const RedisScripts& s = redis_scripts();
  return {s.enter, s.create,  s.rotate,    s.prove, s.revoke, s.end_user,
          s.leave, s.end_all, s.throttled, s.fail,  s.take};
}

// What is called as `redis.call('NAME'` in a script.
std::set<std::string> commands_of(const std::string& script) {
  std::set<std::string> found;
  const std::string mark = "call('";
  for (std::size_t at = script.find(mark); at != std::string::npos; at = script.find(mark, at)) {
    at += mark.size();
    found.insert(script.substr(at, script.find('\'', at) - at));
  }
  return found;
}

TEST(RedisScripts, K04AreConstantAndUsePlainFunctionsOnly) {
  const std::set<std::string> known{"TIME", "GET", "SET", "DEL", "EXISTS", "PTTL", "XADD"};
  for (const redis::Script& script : all_scripts()) {
    EXPECT_EQ(script.sha.size(), 40U);
    for (const char* const library :
         {"cjson", "cmsgpack", "bit.", "struct.", "loadstring", "load(", "dofile", "require",
          "debug.", "setfenv", "pcall(ARGV", "call(ARGV"}) {
      EXPECT_EQ(script.text.find(library), std::string::npos) << library << " in\n" << script.text;
    }
    for (const std::string& command : commands_of(script.text)) {
      EXPECT_TRUE(known.contains(command)) << command;
    }
  }
  // Constant: asked again, they are the same bytes at the same place.
  EXPECT_EQ(&redis_scripts(), &redis_scripts());
}

}  // namespace
}  // namespace proxy::store
