import CajalFormats
import Foundation
import Testing

@testable import CajalData

/// Answers requests on the loopback interface as it is told to, one after the other.
private final class Server: Sendable {
  let port: UInt16
  private let socket: Int32

  /// - Parameter answers: what is sent for a path, head and body; then the connection ends.
  init?(_ answers: [String: String]) {
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let socket = Foundation.socket(AF_INET, kind, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isOpen = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, size) == 0 && listen(socket, 8) == 0 && getsockname(socket, $0, &size) == 0
      }
    }
    guard isOpen else { return nil }
    self.socket = socket
    port = UInt16(bigEndian: address.sin_port)
    let thread = Thread {
      while true {
        let connection = accept(socket, nil, nil)
        if connection < 0 { return }
        Server.answer(connection, answers)
        close(connection)
      }
    }
    thread.start()
  }

  deinit {
    shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
  }

  private static func answer(_ connection: Int32, _ answers: [String: String]) {
    var request = [UInt8](repeating: 0, count: 4096)
    let count = read(connection, &request, request.count)
    guard count > 0 else { return }
    let words = String(decoding: request[..<count], as: UTF8.self).split(separator: " ")
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    let bytes = Array((words.count > 1 ? answers[String(words[1])] ?? missing : missing).utf8)
    _ = write(connection, bytes, bytes.count)
  }
}

@Suite struct DownloadTests {
  private let body = "a,b\n" + String(repeating: "1,2\n", count: 100)

  private func head(_ length: Int) -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\nConnection: close\r\n\r\n"
  }

  private func checksum(of text: String) throws -> String {
    try withTemporaryFolder { folder in
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/x"))
      return try SHA256.of(file: folder + "/x")
    }
  }

  @Test func onlyTheWholeRightFileIsKept() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/curl") else {
      return print("SKIPPED: there is no curl")
    }
    // A proxy of this machine would not find its loopback.
    setenv("no_proxy", "127.0.0.1", 1)
    let changed = body.replacingOccurrences(of: "1,2\n1", with: "1,3\n1")
    let server = try #require(
      Server([
        "/whole.csv": head(body.utf8.count) + body,
        "/torn.csv": head(body.utf8.count) + body.prefix(200),
        "/cut.csv": head(200) + body.prefix(200),
        "/changed.csv": head(body.utf8.count) + changed,
        "/long.csv": head(body.utf8.count + 4) + body + "3,4\n",
        "/endless.csv": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body + body,
        "/moved.csv":
          "HTTP/1.1 302 Found\r\nLocation: /whole.csv\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
      ]))
    let sum = try checksum(of: body)
    try withTemporaryFolder { folder in
      func fetch(_ name: String) throws {
        let file = DataCatalog.File(
          name: name, url: "http://127.0.0.1:\(server.port)/\(name)", checksum: sum, byteCount: body.utf8.count)
        _ = try Download.fetch([file], into: folder) { #expect(0...1 ~= $0.fraction) }
      }
      expectError("/torn.csv cannot be downloaded", "put it there as \(folder)/torn.csv") { try fetch("torn.csv") }
      for name in ["cut.csv", "changed.csv"] { expectError("has the checksum", "not \(sum)") { try fetch(name) } }
      expectError("/long.csv cannot be downloaded") { try fetch("long.csv") }
      expectError("endless.csv") { try fetch("endless.csv") }
      expectError("404", "Check the network") { try fetch("missing.csv") }
      #expect(files(in: folder) == [])
      for name in ["whole.csv", "moved.csv"] { try fetch(name) }
      #expect(files(in: folder)?.sorted() == ["moved.csv", "whole.csv"])
      #expect(try String(contentsOfFile: folder + "/moved.csv", encoding: .utf8) == body)
    }
    expectError("cannot be downloaded", "Failed to connect") {
      let file = DataCatalog.File(name: "x", url: "http://127.0.0.1:1/x", checksum: sum, byteCount: 4)
      try withTemporaryFolder { _ = try Download.fetch([file], into: $0) { _ in } }
    }
  }
}
