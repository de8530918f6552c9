import Foundation
import Testing

@testable import CajalFormats

/// The bytes of a safetensors file with this header, told the truth about its
/// length.
func safetensors(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
  littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

@Suite struct SafetensorsReadingTests {
  /// Expects the error for a file with this header to have each of `parts`.
  private func expectRefused(
    _ header: String, _ data: [UInt8] = [], _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try withFile(safetensors(header, data)) { path in
      let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) {
        _ = try SafetensorsFile.read(path)
      }
      #expect(error?.path == path, sourceLocation: sourceLocation)
      for part in parts {
        #expect(error?.problem.contains(part) == true, "\(error?.problem ?? "")", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func readsMetadataShapesAndData() throws {
    let header = """
      {"__metadata__": {"format": "pt", "na\\u00efve \\ud83e\\udde0": "\\"\\\\\\/\\b\\f\\n\\r\\t"},
       "b": {"data_offsets": [4, 10], "dtype": "BF16", "shape": [3, 1]},
       "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
       "none": {"dtype": "I64", "shape": [0, 7], "data_offsets": [4, 4]}}
      """
    try withFile(safetensors(header, Array(1...10))) { path in
      let file = try SafetensorsFile.read(path)
      #expect(file.metadata == ["format": "pt", "naïve 🧠": "\"\\/\u{8}\u{c}\n\r\t"])
      #expect(file.tensors.map(\.name) == ["a", "none", "b"])
      #expect(file["b"]?.shape == [3, 1] && file["b"]?.dtype == "BF16" && file["b"]?.byteCount == 6)
      #expect(file["a"]?.shape == [])
      #expect(file["c"] == nil)
      #expect(try file.bytes(of: "a") == [1, 2, 3, 4])
      #expect(try file.bytes(of: "b") == [5, 6, 7, 8, 9, 10])
      #expect(try file.bytes(of: "none") == [])
    }
  }

  @Test func anEmptyHeaderIsAFileWithoutTensors() throws {
    let file = try withFile(safetensors("{}      ")) { try SafetensorsFile.read($0) }
    #expect(file.tensors.isEmpty && file.metadata.isEmpty)
  }

  @Test func theHeadersLengthIsCheckedBeforeMemoryIsTaken() throws {
    let claims: [(UInt64, String)] = [
      (1 << 60, "1152921504606846976 bytes, beyond the format's limit"),
      (.max, "beyond the format's limit"),
      (100_000_001, "beyond the format's limit"),
      (100_000_000, "has only 2 after it"),
      (3, "has only 2 after it"),
    ]
    for (length, text) in claims {
      try withFile(littleEndian(length) + Array("{}".utf8)) { path in
        expectError("at byte 0", text, path: path) { _ = try SafetensorsFile.read(path) }
      }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let whole = safetensors(#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, [1, 2, 3, 4])
    for count in 0..<whole.count {
      try withFile(Array(whole[..<count])) { path in
        expectError(path, path: path) { _ = try SafetensorsFile.read(path) }
      }
    }
  }

  @Test func placesMustFillTheDataExactly() throws {
    func entry(_ name: String, _ begin: Int, _ end: Int) -> String {
      #""\#(name)":{"dtype":"U8","shape":[\#(end - begin)],"data_offsets":[\#(begin),\#(end)]}"#
    }
    let four: [UInt8] = [1, 2, 3, 4]
    try expectRefused("{\(entry("a", 0, 3)),\(entry("b", 2, 4))}", four, #""b""#, "overlaps", "ends at 3")
    try expectRefused("{\(entry("a", 0, 4)),\(entry("b", 0, 4))}", four, "overlaps")
    try expectRefused("{\(entry("a", 0, 1)),\(entry("b", 2, 4))}", four, #""b""#, "leaves a hole", "ends at 1")
    try expectRefused("{\(entry("a", 1, 4))}", four, "leaves a hole")
    try expectRefused("{\(entry("a", 0, 3))}", four, "1 bytes that belong to no tensor follow byte 3")
    try expectRefused("{\(entry("a", 0, 5))}", four, #""a""#, "ends at byte 5", "only 4")
    try expectRefused("{}", four, "4 bytes that belong to no tensor")
  }

  @Test func placesMustFitDtypeAndShape() throws {
    func header(_ dtype: String, _ shape: String, _ offsets: String) -> String {
      #"{"a":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}}"#
    }
    let eight = [UInt8](repeating: 0, count: 8)
    try expectRefused(header("F32", "[3]", "[0,8]"), eight, #""a""#, "F32", "[3]", "needs 12 bytes and has 8")
    try expectRefused(header("U32", "[3]", "[0,8]"), eight, "needs 12 bytes")
    try expectRefused(header("F4", "[15]", "[0,8]"), eight, "needs 7 bytes")
    try expectRefused(header("F32", "[4611686018427387904,4]", "[0,8]"), eight, "more than 2^63 bits")
    try expectRefused(header("F32", "[9223372036854775807]", "[0,8]"), eight, "more than 2^63 bits")
    try expectRefused(header("F32", "[9223372036854775808]", "[0,8]"), eight, "beyond 2^63", "at byte 37")
    try expectRefused(header("F32", "[2]", "[8,0]"), eight, "not a begin and an end")
    try expectRefused(header("F32", "[2]", "[0]"), eight, "not a begin and an end")
    try expectRefused(header("F32", "[2]", "[0,4,8]"), eight, "not a begin and an end")
    try expectRefused(header("F32", "[-2]", "[0,8]"), eight, "whole number of 0 or more")
    try expectRefused(header("F32", "[2.0]", "[0,8]"), eight, "whole number")
    try expectRefused(header("F32", "[2e0]", "[0,8]"), eight, "whole number")
    try expectRefused(header("F32", "[02]", "[0,8]"), eight, "whole number")
    let ones = Array(repeating: "1", count: 65).joined(separator: ",")
    try expectRefused(header("F64", "[\(ones)]", "[0,8]"), eight, "more than 64 numbers")
  }

  @Test func equalKeysAreRefused() throws {
    let place = #""shape":[0],"data_offsets":[0,0]"#
    let tensor = #"{"dtype":"U8",\#(place)}"#
    try expectRefused(#"{"a":\#(tensor),"a":\#(tensor)}"#, [], #"the key "a" comes twice"#)
    try expectRefused(#"{"a":\#(tensor),"\u0061":\#(tensor)}"#, [], #"the key "a" comes twice"#)
    try expectRefused(#"{"a":{"dtype":"U8","dtype":"I8",\#(place)}}"#, [], #""dtype" comes twice"#)
    try expectRefused(#"{"__metadata__":{"k":"1","k":"2"}}"#, [], #""k" comes twice"#)
    try expectRefused(#"{"__metadata__":{},"__metadata__":{}}"#, [], "comes twice")
  }

  @Test func anIncompleteOrStrangeEntryIsRefused() throws {
    try expectRefused(#"{"a":{"shape":[0],"data_offsets":[0,0]}}"#, [], #""a" has no dtype"#)
    try expectRefused(#"{"a":{"dtype":"U8","data_offsets":[0,0]}}"#, [], "has no shape")
    try expectRefused(#"{"a":{"dtype":"U8","shape":[0]}}"#, [], "has no data_offsets")
    try expectRefused(#"{"a":{"kind":1}}"#, [], #"unknown key "kind""#)
    try expectRefused(#"{"a":[]}"#, [], "byte 13: an object is expected")
    try expectRefused(#"{"__metadata__":{"k":1}}"#, [], "a string is expected")
  }

  @Test func malformedJSONIsRefusedWithItsPlace() throws {
    try expectRefused("", [], "byte 8: an object")
    try expectRefused(" {}", [], "byte 8: an object")
    try expectRefused("[]", [], "an object")
    try expectRefused("{", [], "byte 9: a string")
    try expectRefused(#"{"a"}"#, [], "byte 12: a colon")
    try expectRefused(#"{"a"#, [], "byte 9: the string has no end")
    try expectRefused(#"{"a\"#, [], "the string has no end")
    try expectRefused(#"{"\x":1}"#, [], "no such escape")
    try expectRefused(#"{"\u12g4":1}"#, [], "four hexadecimal digits")
    try expectRefused(#"{"\ud800":1}"#, [], "surrogate")
    try expectRefused(#"{"\ud800\u0041":1}"#, [], "surrogate")
    try expectRefused(#"{"\udc00":1}"#, [], "surrogate")
    try expectRefused("{\"a\n\":1}", [], "byte 11: a control character")
    try expectRefused("{},", [], "byte 10: something follows the end")
    try expectRefused("{}\0", [], "something follows the end")
    try expectRefused(#"{"__metadata__":{},}"#, [], "a string is expected")
    try withFile(littleEndian(UInt64(6)) + [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x7d]) { path in
      expectError("byte 9: the string is not UTF-8") { _ = try SafetensorsFile.read(path) }
    }
  }

  @Test func deepNestingIsRefusedAtItsSecondLevel() throws {
    try expectRefused(String(repeating: #"{"a":"#, count: 100_000), [], "unknown key")
    try expectRefused(#"{"a":{"shape":"# + String(repeating: "[", count: 100_000), [], "whole number")
  }

  @Test func aForeignDtypeIsRefusedOnlyWhenAskedFor() throws {
    let header = """
      {"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},
       "b":{"dtype":"Q\\u001b[31m9","shape":[5],"data_offsets":[2,3]},
       "c":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}
      """
    try withFile(safetensors(header, [1, 2, 3, 4])) { path in
      let file = try SafetensorsFile.read(path)
      #expect(try file.bytes(of: "c") == [4])
      expectError(#"tensor "a" has dtype "F8_E4M3""#, "F32", path: path) { _ = try file.bytes(of: "a") }
      // Whatever a file holds, an error prints no control character.
      expectError(#"dtype "Q\u{1b}[31m9""#) { _ = try file.bytes(of: "b") }
    }
  }

  @Test func aTensorThatIsNotThereIsNamed() throws {
    try withFile(safetensors(#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)) { path in
      expectError(#"no tensor "b""#, #"first tensors are "a""#) { _ = try SafetensorsFile.read(path).bytes(of: "b") }
    }
  }

  @Test func aBoolIsZeroOrOne() throws {
    try withFile(safetensors(#"{"m":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}"#, [0, 1, 2])) { path in
      let file = try SafetensorsFile.read(path)
      expectError(#""m" is BOOL and has 2 at byte 65"#) { _ = try file.bytes(of: "m") }
    }
  }

  @Test func aFileThatShrinksWhileOpenIsRefused() throws {
    try withFile(safetensors(#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, [1, 2, 3, 4])) { path in
      let file = try SafetensorsFile.read(path)
      let size = try contents(of: path).count
      #expect(truncate(path, off_t(size - 3)) == 0)
      expectError("ends at byte \(size - 3)", "shortened") { _ = try file.bytes(of: "a") }
    }
  }

  @Test(.enabled(if: refusesHugeAllocations, "skipped: this machine promises memory that it does not have"))
  func aTensorLargerThanMemoryIsAnErrorNotACrash() throws {
    let size = 1 << 43  // 8 TiB, sparse
    let header = #"{"a":{"dtype":"U8","shape":[\#(size)],"data_offsets":[0,\#(size)]}}"#
    try withFile(safetensors(header)) { path in
      guard truncate(path, off_t(8 + header.utf8.count + size)) == 0 else {
        return print("skipped: the file system has no sparse files of 8 TiB")
      }
      let file = try SafetensorsFile.read(path)
      expectError("no memory for the \(size) bytes") { _ = try file.bytes(of: "a") }
    }
  }
}
