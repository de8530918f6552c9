import CajalBase
import Testing

@Suite struct PhiloxTests {
  /// The known answers of Random123's `kat_vectors` for philox4x32 with ten rounds.
  @Test func theKnownAnswersOfItsAuthorsAreGiven() {
    let zero = Philox.block(key: 0, stream: 0, block: 0)
    #expect(zero == (0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    let ones = Philox.block(key: .max, stream: .max, block: .max)
    #expect(ones == (0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    // The digits of π.
    let pi = Philox.block(key: 0x299F_31D0_A409_3822, stream: 0x0370_7344_1319_8A2E, block: 0x85A3_08D3_243F_6A88)
    #expect(pi == (0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  @Test func wordsAreThoseOfTheirBlocks() {
    for index in UInt64(0)..<40 {
      let block = Philox.block(key: 3, stream: 4, block: index / 4)
      #expect(Philox.word(key: 3, stream: 4, index: index) == [block.0, block.1, block.2, block.3][Int(index % 4)])
    }
  }

  @Test func derivedKeysDiffer() {
    let keys = (0..<1000).map { Philox.derive(7, UInt64($0)) }
    #expect(Set(keys).count == 1000)
    #expect(!keys.contains(7))
    #expect(Philox.derive(7, 1) != Philox.derive(8, 1))
  }
}
