// How often this binary has called operator new, to prove that something allocates nothing.
#pragma once

#include <cstddef>

[[nodiscard]] std::size_t allocations();
