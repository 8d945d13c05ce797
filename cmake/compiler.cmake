# Flags that every target of ours shares. Warnings become errors in the presets only, so that a
# packager with a newer compiler is never stopped by a new warning.
find_program(GATEHOUSE_CCACHE ccache)
if(GATEHOUSE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${GATEHOUSE_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${GATEHOUSE_CCACHE}")
endif()

include_directories("${PROJECT_SOURCE_DIR}")

add_library(gatehouse_flags INTERFACE)
target_compile_options(gatehouse_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  # GCC 12 takes the allocation functions of Asio's coroutine frames for a mismatched pair, and in
  # unity builds a coroutine's frame for a type that outlives its unnamed namespace.
  $<$<CXX_COMPILER_ID:GNU>:-fcoroutines -Wno-mismatched-new-delete -Wno-subobject-linkage>)

if(GATEHOUSE_HARDENING)
  target_compile_definitions(gatehouse_flags INTERFACE _GLIBCXX_ASSERTIONS)
  # Assertions of Boost stay on (lists of waiters and streams, coroutines): beside a system call
  # they cost nothing, and a broken list ends the process instead of answering somebody else.
  add_compile_options(-UNDEBUG)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  else()
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()

if(GATEHOUSE_SANITIZE)
  add_compile_options(-fsanitize=${GATEHOUSE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GATEHOUSE_SANITIZE})
  if(GATEHOUSE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC warns that ThreadSanitizer does not model Asio's fences; nothing of ours relies on them.
    add_compile_options(-Wno-tsan)
  endif()
  if(GATEHOUSE_SANITIZE MATCHES "undefined")
    # null, alignment and vptr triple the compile time of Asio's headers and have found nothing
    # that AddressSanitizer does not; clang 14 cannot link -fsanitize=function with coroutines.
    add_compile_options(-fno-sanitize=null,alignment,vptr -fno-sanitize-recover=all)
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      add_compile_options(-fno-sanitize=function)
    endif()
  endif()
endif()
