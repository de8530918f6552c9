/// Cyclic redundancy checks of 32 bits, with reflected bits, a byte at a time.
package struct CRC32: Sendable {
  /// The checksum of zip, gzip and PNG (ISO 3309): the polynomial 0x04C11DB7.
  package static let ieee = CRC32(reversedPolynomial: 0xEDB8_8320)
  /// CRC-32C (Castagnoli et al. 1993), of TFRecord: the polynomial 0x1EDC6F41.
  package static let castagnoli = CRC32(reversedPolynomial: 0x82F6_3B78)

  private let table: [UInt32]

  private init(reversedPolynomial: UInt32) {
    table = (0..<256).map { byte in
      (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ reversedPolynomial : value >> 1 }
    }
  }

  package func of(_ bytes: [UInt8]) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      ~bytes.reduce(~UInt32(0)) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }
  }
}
