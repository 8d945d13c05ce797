// Where Redis is: a list of servers, or what sentinels say. One thread; see node.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/redis/node.h"

namespace proxy::redis {

// One after the other, beginning with the first.
class ListLocator final : public Locator {
 public:
  explicit ListLocator(std::vector<net::Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
  [[nodiscard]] net::Task<std::optional<net::Endpoint>> locate(net::Executor executor) override;
  [[nodiscard]] bool must_be_master() const override { return false; }

 private:
  std::vector<net::Endpoint> endpoints_;
  std::size_t next_ = 0;
};

// The address of a master by its name, from the first sentinel that knows it.
class SentinelLocator final : public Locator {
 public:
  SentinelLocator(std::vector<net::Endpoint> sentinels, std::string master, LinkOptions options)
      : sentinels_(std::move(sentinels)),
        master_(std::move(master)),
        options_(std::move(options)) {}
  [[nodiscard]] net::Task<std::optional<net::Endpoint>> locate(net::Executor executor) override;
  [[nodiscard]] bool must_be_master() const override { return true; }

 private:
  [[nodiscard]] net::Task<std::optional<net::Endpoint>> ask(net::Executor executor,
                                                            const net::Endpoint& sentinel);
  std::vector<net::Endpoint> sentinels_;
  std::string master_;
  LinkOptions options_;
};

}  // namespace proxy::redis
