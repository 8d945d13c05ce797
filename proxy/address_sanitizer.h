// Whether this is a build with AddressSanitizer. It sees a use after the end only of what its own
// allocator gave out and took back, so free lists and slabs do without themselves there.
#pragma once

namespace proxy {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool address_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif
#else
inline constexpr bool address_sanitizer = false;
#endif

}  // namespace proxy
