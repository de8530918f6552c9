import CajalCKernels
import Foundation
import Testing

extension CKernels {
  @Suite struct Random {
    func block(_ key: UInt64, _ stream: UInt64, _ block: UInt64) -> [UInt32] {
      var words = [UInt32](repeating: 0, count: 4)
      cj_philox_block(key, stream, block, &words)
      return words
    }

    // The known answers of Random123 (kat_vectors, philox4x32 10).
    @Test func philoxGivesThePublishedWords() {
      #expect(block(0, 0, 0) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
      #expect(block(.max, .max, .max) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
      #expect(
        block(0x299f_31d0_a409_3822, 0x0370_7344_1319_8a2e, 0x85a3_08d3_243f_6a88)
          == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    /// Word `i` of a stream.
    func word(_ key: UInt64, _ stream: UInt64, _ i: Int) -> UInt32 {
      block(key, stream, UInt64(i / 4))[i % 4]
    }

    @Test func drawsAreMadeOfTheirWords() {
      atEveryLevel { level in
        for count in [1, 2, 3, 5, 17, 1000, 40_001] {
          var singles = [Float](repeating: 0, count: count)
          var doubles = [Double](repeating: 0, count: count)
          var integers = [Int64](repeating: 0, count: count)
          var halves = [UInt16](repeating: 0, count: count)
          var brains = [UInt16](repeating: 0, count: count)
          cj_random(CJ_RANDOM_UNIFORM, CJ_FLOAT32, 7, 9, Int64(count), &singles)
          cj_random(CJ_RANDOM_UNIFORM, CJ_FLOAT64, 7, 9, Int64(count), &doubles)
          cj_random(CJ_RANDOM_UNIFORM, CJ_FLOAT16, 7, 9, Int64(count), &halves)
          cj_random(CJ_RANDOM_UNIFORM, CJ_BFLOAT16, 7, 9, Int64(count), &brains)
          cj_random(CJ_RANDOM_BITS, CJ_INT64, 7, 9, Int64(count), &integers)
          for i in stride(from: 0, to: count, by: max(1, count / 200)) {
            let one = word(7, 9, i)
            let (first, second) = (UInt64(word(7, 9, 2 * i)), UInt64(word(7, 9, 2 * i + 1)))
            #expect(integers[i] == Int64(one), "\(level)")
            #expect(singles[i] == Float(one >> 8) * 0x1p-24)
            #expect(doubles[i] == Double((first >> 5) << 26 + second >> 6) * 0x1p-53)
            #expect(cj_half_to_float(halves[i]) == Float(one >> 21) * 0x1p-11)
            #expect(Float(bitPattern: UInt32(brains[i]) << 16) == Float(one >> 24) * 0x1p-8)
          }
        }
      }
    }

    @Test func normalsAreBoxMuller() {
      atEveryLevel { level in
        let count = 10_001
        var singles = [Float](repeating: 0, count: count)
        var doubles = [Double](repeating: 0, count: count)
        cj_random(CJ_RANDOM_NORMAL, CJ_FLOAT32, 3, 1, Int64(count), &singles)
        cj_random(CJ_RANDOM_NORMAL, CJ_FLOAT64, 3, 1, Int64(count), &doubles)
        var worst = 0.0
        for i in 0..<count {
          let (first, second) = (word(3, 1, 2 * i), word(3, 1, 2 * i + 1))
          let angle = 2 * Double.pi * Double(second) * 0x1p-32
          let exact = sqrt(-2 * log((Double(first) + 1) * 0x1p-32)) * cos(angle)
          #expect(abs(doubles[i] - exact) <= 1e-15 * max(1, abs(exact)))
          // float32 draws its uniform in float32 as well.
          let u = Double(Float((Double(first) + 1) * 0x1p-32))
          worst = max(worst, unitsInLastPlace(singles[i], exact: sqrt(-2 * log(u)) * cos(angle)))
        }
        #expect(worst < 5, "\(level)")
      }
    }

    @Test func normalsHaveTheirMoments() {
      let count = 1_000_000
      var values = [Float](repeating: 0, count: count)
      cj_random(CJ_RANDOM_NORMAL, CJ_FLOAT32, 11, 2, Int64(count), &values)
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(count)
      let variance = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
      let fourth = values.reduce(0.0) { $0 + pow(Double($1), 4) } / Double(count)
      #expect(abs(mean) < 0.005)
      #expect(abs(variance - 1) < 0.01)
      #expect(abs(fourth - 3) < 0.05)
    }

    @Test func drawsDoNotDependOnThreads() {
      for distribution in [CJ_RANDOM_UNIFORM, CJ_RANDOM_NORMAL] {
        for (dtype, size) in [(CJ_FLOAT32, 4), (CJ_FLOAT64, 8), (CJ_FLOAT16, 2), (CJ_BFLOAT16, 2)] {
          expectSameBitsForAnyThreadCount("random") {
            bytes(100_003 * size) { cj_random(distribution, dtype, 5, 6, 100_003, $0) }
          }
        }
      }
    }
  }
}
