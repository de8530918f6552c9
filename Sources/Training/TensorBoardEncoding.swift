import CajalFormats

// The forms that event files are made of, as far as they need them.

/// A protocol-buffer message, field by field: developers.google.com/protocol-buffers/docs/encoding.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  private enum Wire: UInt64 {
    case varint, fixed64, delimited
    case fixed32 = 5
  }

  mutating func add(_ field: Int, integer: Int) {
    begin(field, .varint)
    append(varint: UInt64(bitPattern: Int64(integer)))
  }

  mutating func add(_ field: Int, double: Double) {
    begin(field, .fixed64)
    bytes.append(littleEndian: double.bitPattern)
  }

  mutating func add(_ field: Int, float: Float) {
    begin(field, .fixed32)
    bytes.append(littleEndian: float.bitPattern)
  }

  mutating func add(_ field: Int, bytes data: [UInt8]) {
    begin(field, .delimited)
    append(varint: UInt64(data.count))
    bytes += data
  }

  mutating func add(_ field: Int, string: String) { add(field, bytes: Array(string.utf8)) }

  /// A repeated field, packed.
  mutating func add(_ field: Int, doubles: [Double]) {
    var packed: [UInt8] = []
    for double in doubles { packed.append(littleEndian: double.bitPattern) }
    add(field, bytes: packed)
  }

  /// A message inside.
  mutating func add(_ field: Int, _ body: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    body(&message)
    add(field, bytes: message.bytes)
  }

  private mutating func begin(_ field: Int, _ wire: Wire) { append(varint: UInt64(field) << 3 | wire.rawValue) }

  private mutating func append(varint number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// TFRecord: the length, its checksum, the data, their checksum.
enum TensorFlowRecord {
  static func encode(_ data: [UInt8]) -> [UInt8] {
    var record: [UInt8] = []
    record.append(littleEndian: UInt64(data.count))
    record.append(littleEndian: masked(record))
    record += data
    record.append(littleEndian: masked(data))
    return record
  }

  /// A checksum that may itself be checked by one: the format's rotation and constant.
  private static func masked(_ data: [UInt8]) -> UInt32 {
    let sum = CRC32.castagnoli.of(data)
    return (sum >> 15 | sum << 17) &+ 0xa282_ead8
  }
}

extension [UInt8] {
  mutating func append(littleEndian number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }

  mutating func append(bigEndian number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }
}
