// What a slab promises: places are close together and used again, and blocks go back.
#include "proxy/slab.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

namespace proxy {
namespace {

struct Thing {
  explicit Thing(int value) : number(value) {
    if (value < 0) throw std::runtime_error("no such thing");
    ++alive;
  }
  ~Thing() { --alive; }
  static inline int alive = 0;
  int number;
  std::string text = "a text of its own on the heap, so that a leak would be seen";
  std::array<char, 500> more{};
};

std::uintptr_t block_of(const void* object) {
  return reinterpret_cast<std::uintptr_t>(object) / (std::uintptr_t{32} * 1024);
}

TEST(Slab, ObjectsLiveUntilTheirPointerEnds) {
  Slab<Thing> slab;
  std::vector<Slab<Thing>::Pointer> things;
  for (int i = 0; i < 1'000; ++i) things.push_back(slab.make(i));
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(things[static_cast<std::size_t>(i)]->number, i);
  EXPECT_EQ(Thing::alive, 1'000);
  things.clear();
  EXPECT_EQ(Thing::alive, 0);
}

TEST(Slab, AThousandNeedFewBlocks) {
  if (address_sanitizer) GTEST_SKIP() << "each object is the sanitizer's own there";
  Slab<Thing> slab;
  std::vector<Slab<Thing>::Pointer> things;
  std::unordered_set<std::uintptr_t> blocks;
  for (int i = 0; i < 1'000; ++i) blocks.insert(block_of(things.emplace_back(slab.make(i)).get()));
  EXPECT_LE(blocks.size(), 1'000 * sizeof(Thing) / (31 * 1024) + 1);
}

TEST(Slab, PlacesAreUsedAgainInWhateverOrderTheyAreGivenBack) {
  Slab<Thing> slab;
  std::vector<Slab<Thing>::Pointer> things(500);
  std::unordered_set<const Thing*> places;
  std::uint32_t random = 1;
  for (int i = 0; i < 50'000; ++i) {
    random = random * 1'664'525 + 1'013'904'223;
    auto& thing = things[(random >> 16) % things.size()];
    if (thing) {
      thing.reset();
    } else {
      thing = slab.make(i);
      places.insert(thing.get());
    }
  }
  std::unordered_set<const Thing*> in_use;
  for (const auto& thing : things) {
    const bool is_alone = !thing || in_use.insert(thing.get()).second;
    EXPECT_TRUE(is_alone) << "two objects in one place";
  }
  EXPECT_EQ(Thing::alive, static_cast<int>(in_use.size()));
  EXPECT_LE(places.size(), address_sanitizer ? 50'000U : 700U);
}

TEST(Slab, AnObjectThatIsNotMadeLeavesItsPlace) {
  Slab<Thing> slab;
  const auto first = slab.make(1);
  for (int i = 0; i < 10'000; ++i) EXPECT_THROW(static_cast<void>(slab.make(-1)), std::exception);
  const auto second = slab.make(2);
  EXPECT_TRUE(address_sanitizer || block_of(first.get()) == block_of(second.get()));
  EXPECT_EQ(Thing::alive, 2);
}

}  // namespace
}  // namespace proxy
