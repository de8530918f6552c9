import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Copies {
    /// Copies with random strides, permuted, broadcast, reversed, against loops.
    func check<T: FixedWidthInteger>(_ type: T.Type, _ draws: inout Draws) {
      let rank = draws.below(5)
      var extents: [Int64] = []
      for _ in 0..<rank { extents.append(Int64(draws.pick([1, 2, 3, 5, 8, 17, 33, 70]))) }
      while extents.reduce(1, *) > 200_000 { extents.removeLast() }
      func strides(_ broadcasts: Bool) -> (strides: [Int64], offset: Int, size: Int) {
        var result = [Int64](repeating: 0, count: extents.count)
        var step = Int64(draws.pick([1, 1, 2]))
        var offset = 0
        for axis in Array(extents.indices).shuffled(using: &draws) {
          if broadcasts && draws.below(5) == 0 { continue }
          result[axis] = step
          step *= extents[axis] + Int64(draws.pick([0, 0, 1]))
          if draws.below(6) == 0 {
            offset += Int(result[axis] * (extents[axis] - 1))
            result[axis] = -result[axis]
          }
        }
        return (result, offset, Int(step) + 1)
      }
      let source = strides(true)
      let target = strides(false)
      let values = (0..<source.size).map { _ in T(truncatingIfNeeded: draws.bits()) }
      var expected = [T](repeating: 0, count: target.size)
      var got = expected
      func walk(_ axis: Int, _ from: Int, _ to: Int) {
        guard axis < extents.count else {
          expected[to] = values[from]
          return
        }
        for i in 0..<Int(extents[axis]) {
          walk(axis + 1, from + i * Int(source.strides[axis]), to + i * Int(target.strides[axis]))
        }
      }
      walk(0, source.offset, target.offset)
      values.withUnsafeBufferPointer { from in
        got.withUnsafeMutableBufferPointer { to in
          cj_copy(
            Int32(T.bitWidth / 8), Int32(extents.count), extents, from.baseAddress! + source.offset,
            source.strides, to.baseAddress! + target.offset, target.strides)
        }
      }
      #expect(got == expected, "\(T.self) \(extents) from \(source) to \(target)")
    }

    @Test func stridedCopiesMatchLoops() {
      var draws = Draws(2)
      for _ in 0..<400 {
        check(UInt8.self, &draws)
        check(UInt16.self, &draws)
        check(UInt32.self, &draws)
        check(UInt64.self, &draws)
      }
    }

    @Test func largeTransposesMatchLoops() {
      for (rows, columns) in [(513, 700), (1024, 1024), (3, 100_000), (100_000, 3)] {
        let values = (0..<rows * columns).map { UInt32($0) }
        var got = [UInt32](repeating: 0, count: rows * columns)
        cj_copy(4, 2, [Int64(columns), Int64(rows)], values, [1, Int64(columns)], &got, [Int64(rows), 1])
        var right = true
        for i in 0..<columns { for j in 0..<rows where got[i * rows + j] != UInt32(j * columns + i) { right = false } }
        #expect(right)
      }
    }

    @Test func fillsSetEveryElement() {
      for count in [0, 1, 7, 1000, 300_000] {
        var small = [UInt8](repeating: 1, count: count + 1)
        var wide = [UInt64](repeating: 1, count: count + 1)
        var half = [UInt16](repeating: 1, count: count + 1)
        var word = [UInt32](repeating: 1, count: count + 1)
        cj_fill(1, Int64(count), 0xab, &small)
        cj_fill(2, Int64(count), 0xabcd, &half)
        cj_fill(4, Int64(count), 0xabcd_1234, &word)
        cj_fill(8, Int64(count), 0xabcd_1234_5678_9abc, &wide)
        #expect(small == [UInt8](repeating: 0xab, count: count) + [1])
        #expect(half == [UInt16](repeating: 0xabcd, count: count) + [1])
        #expect(word == [UInt32](repeating: 0xabcd_1234, count: count) + [1])
        #expect(wide == [UInt64](repeating: 0xabcd_1234_5678_9abc, count: count) + [1])
      }
    }
  }
}

extension Draws: RandomNumberGenerator {
  mutating func next() -> UInt64 { bits() }
}
