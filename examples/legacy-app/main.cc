// A small legacy web application for the demo: a few HTML and JSON pages, an event stream and a
// WebSocket echo, none of which know anything of login. Blocking sockets, one thread a connection,
// as such applications are; each thread owns its socket and shares nothing.
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include "examples/legacy-app/pages.h"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Socket = asio::ip::tcp::socket;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr std::uint64_t body_bytes_max = 64 * 1024 * 1024;

std::string_view path_of(const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  return target.substr(0, target.find('?'));
}

legacy::Received describe(const Request& request) {
  legacy::Received received;
  received.method = std::string(request.method_string());
  received.target = std::string(request.target());
  for (const auto& field : request) {
    received.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  received.body = request.body();
  return received;
}

Response reply(const Request& request, http::status status, const char* type, std::string body) {
  Response response(status, request.version());
  response.set(http::field::server, "order-desk/1.4");
  response.set(http::field::content_type, type);
  response.keep_alive(request.keep_alive());
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

Response answer(const Request& request) {
  const legacy::Received received = describe(request);
  const std::string_view path = path_of(request);
  const char* html = "text/html; charset=utf-8";
  const char* json = "application/json";
  if (path == "/") {
    return reply(request, http::status::ok, html, legacy::home_page(received));
  }
  if (path == "/admin") {
    return reply(request, http::status::ok, html, legacy::admin_page(received));
  }
  if (path == "/api/orders") {
    return reply(request, http::status::ok, json, legacy::orders());
  }
  if (path == "/api/echo") {
    return reply(request, http::status::ok, json, legacy::echo(received));
  }
  if (path == "/assets/style.css") {
    return reply(request, http::status::ok, "text/css", legacy::style_sheet());
  }
  if (path == "/slow") {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return reply(request, http::status::ok, "text/plain", "that took two seconds\n");
  }
  return reply(request, http::status::not_found, "text/plain", "no such page\n");
}

// Server-sent events, one a second, until the client leaves (the write fails then).
void send_events(Socket& socket, const Request& request) {
  http::response<http::empty_body> head(http::status::ok, request.version());
  head.set(http::field::content_type, "text/event-stream");
  head.set(http::field::cache_control, "no-cache");
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer(head);
  http::write_header(socket, serializer);
  for (int count = 1;; ++count) {
    const std::string event = "event: tick\ndata: " + std::to_string(count) + "\n\n";
    asio::write(socket, http::make_chunk(asio::buffer(event)));
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

void echo_messages(Socket& socket, const Request& request) {
  beast::websocket::stream<Socket&> stream(socket);
  stream.accept(request);
  beast::flat_buffer buffer;
  for (;;) {
    stream.read(buffer);
    stream.text(stream.got_text());
    stream.write(buffer.data());
    buffer.clear();
  }
}

// Ends by exception when the peer goes away; the thread's last catch makes that an ordinary end.
void serve(Socket& socket) {
  beast::flat_buffer buffer;
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    http::read_header(socket, buffer, parser);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      const std::string_view proceed = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::write(socket, asio::buffer(proceed));
    }
    http::read(socket, buffer, parser);
    const Request request = parser.release();
    if (path_of(request) == "/events") {
      return send_events(socket, request);
    }
    if (path_of(request) == "/live" && beast::websocket::is_upgrade(request)) {
      return echo_messages(socket, request);
    }
    Response response = answer(request);
    if (request.method() == http::verb::head) {
      response.body().clear();  // the length announced stays the one of GET
    }
    http::response_serializer<http::string_body> serializer(response);
    if (request.method() == http::verb::head) {
      http::write_header(socket, serializer);
    } else {
      http::write(socket, serializer);
    }
    if (!response.keep_alive()) {
      return;
    }
  }
}

void run_connection(Socket socket) {
  try {
    serve(socket);
  } catch (const boost::system::system_error&) {
    // The client closed, or sent what Beast does not accept: nothing to tell anybody.
  }
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
}

// The value of --port, or -1 when the arguments make no sense.
int port_from(int argc, char** argv) {
  if (argc == 1) {
    return 3000;
  }
  int port = -1;
  if (argc == 3 && std::string_view(argv[1]) == "--port") {
    const char* end = argv[2] + std::strlen(argv[2]);
    const auto [stop, error] = std::from_chars(argv[2], end, port);
    if (error != std::errc() || stop != end || port > 65535) {
      return -1;
    }
  }
  return port;
}

}  // namespace

int main(int argc, char** argv) {
  const int port = port_from(argc, argv);
  if (port < 0) {
    std::cerr << "usage: legacy-app [--port PORT]   (default 3000; 0 takes any free port)\n";
    return 2;
  }
  // It ends in the middle of everything, but it ends: process 1 ignores SIGTERM otherwise.
  std::signal(SIGTERM, [](int) { std::_Exit(0); });
  try {
    asio::io_context context;
    const asio::ip::tcp::endpoint wanted(asio::ip::address_v4::loopback(),
                                         static_cast<std::uint16_t>(port));
    asio::ip::tcp::acceptor acceptor(context, wanted);
    std::cout << "legacy-app: listening on http://127.0.0.1:" << acceptor.local_endpoint().port()
              << std::endl;
    for (;;) {
      std::thread(run_connection, acceptor.accept()).detach();
    }
  } catch (const std::exception& error) {
    std::cerr << "legacy-app: " << error.what() << "\n";
    return 1;
  }
}
