# Third-party libraries, all from Debian packages (scripts/setup lists them, docs/dependencies.md
# says why each was picked).
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp INTERFACE IMPORTED)
  target_link_libraries(yaml-cpp::yaml-cpp INTERFACE yaml-cpp)
endif()
find_package(CLI11 REQUIRED)

find_path(ARGON2_INCLUDE_DIR argon2.h REQUIRED)
find_library(ARGON2_LIBRARY argon2 REQUIRED)
find_library(CRYPT_LIBRARY crypt REQUIRED)

# Only its reader and formatter are used, so that any version from 0.14 on will do.
find_path(HIREDIS_INCLUDE_DIR hiredis/hiredis.h REQUIRED)
find_library(HIREDIS_LIBRARY hiredis REQUIRED)
# Its text serializer only, which needs neither civetweb nor curl; its own CMake files ask for both.
find_path(PROMETHEUS_CPP_INCLUDE_DIR prometheus/text_serializer.h REQUIRED)
find_library(PROMETHEUS_CPP_CORE_LIBRARY prometheus-cpp-core REQUIRED)

# llhttp is no part of the program: tests and fuzzers hold the parser against it
# (docs/decisions/0001-one-parser.md). The system's library where it has one (Debian 13), else the
# generated C of Debian 12's node-llhttp. Strict mode is not the default there, and loose mode takes
# smuggling vectors (CVE-2025-23167, CVE-2023-30589), so it is forced.
if(GATEHOUSE_TESTS OR GATEHOUSE_FUZZERS)
  find_package(llhttp QUIET)
  if(TARGET llhttp::llhttp)
    add_library(gatehouse_llhttp ALIAS llhttp::llhttp)
  else()
    set(LLHTTP_SOURCE_DIR /usr/share/llhttp CACHE PATH "llhttp's C sources")
    set(LLHTTP_INCLUDE_DIR /usr/share/include/llhttp CACHE PATH "llhttp's header")
    add_library(gatehouse_llhttp STATIC EXCLUDE_FROM_ALL ${LLHTTP_SOURCE_DIR}/api.c
      ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
    target_include_directories(gatehouse_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(gatehouse_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    # api.c and llhttp.c declare the same functions in two ways: never in one translation unit.
    set_target_properties(gatehouse_llhttp PROPERTIES UNITY_BUILD OFF)
  endif()
endif()

# Asio: one loop per thread.
add_library(gatehouse_asio INTERFACE)
target_compile_definitions(gatehouse_asio INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION)
target_link_libraries(gatehouse_asio INTERFACE Boost::headers Threads::Threads)
