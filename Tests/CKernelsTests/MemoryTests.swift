import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Memory {
    @Test func blocksAreAlignedAndHoldTheirSize() throws {
      var blocks: [(UnsafeMutableRawPointer, Int)] = []
      for size in [0, 1, 63, 64, 65, 80, 81, 1000, 4096, 100_000, 5 << 20] {
        let block = try #require(cj_allocate(Int64(size)))
        #expect(Int(bitPattern: block) % 64 == 0)
        block.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: size), count: size)
        blocks.append((block, size))
      }
      for (block, size) in blocks {
        for i in stride(from: 0, to: size, by: 997) {
          #expect(block.load(fromByteOffset: i, as: UInt8.self) == UInt8(truncatingIfNeeded: size))
        }
        cj_free(block, Int64(size))
      }
    }

    @Test func impossibleSizesGiveNothing() {
      #expect(cj_allocate(Int64.max) == nil)
      #expect(cj_allocate(-1) == nil)
      #expect(cj_allocate(1 << 60) == nil)
      cj_free(nil, 10)
    }

    // In processes of their own: other tests allocate too, and the limit would hold for them.

    @Test func statisticsFollowAllocations() async {
      await #expect(processExitsWith: .success) {
        cj_memory_trim()
        let before = cj_memory()
        #expect(before.cached_bytes == 0)
        let block = try #require(cj_allocate(1_000_000))
        #expect(cj_memory().live_bytes == before.live_bytes + 1_000_000)
        #expect(cj_memory().system_calls == before.system_calls + 1)
        cj_memory_reset_peak()
        #expect(cj_memory().peak_bytes == cj_memory().live_bytes)
        cj_free(block, 1_000_000)
        #expect(cj_memory().live_bytes == before.live_bytes)
        #expect(cj_memory().peak_bytes == before.live_bytes + 1_000_000)
        #expect(cj_memory().cached_bytes >= 1_000_000)
        let again = try #require(cj_allocate(1_000_000))
        #expect(again == block)
        #expect(cj_memory().system_calls == before.system_calls + 1)
        #expect(cj_memory().cached_bytes == 0)
        cj_free(again, 1_000_000)
        cj_memory_trim()
        #expect(cj_memory().cached_bytes == 0)
      }
    }

    @Test func nothingIsAllocatedBeyondTheLimit() async {
      await #expect(processExitsWith: .success) {
        cj_memory_limit_set(10 << 20)
        #expect(cj_memory().limit_bytes == 10 << 20)
        #expect(cj_allocate(11 << 20) == nil)
        let block = cj_allocate(6 << 20)
        #expect(block != nil && cj_allocate(6 << 20) == nil)
        cj_free(block, 6 << 20)
        // What waits for the next allocation gives way.
        let other = cj_allocate(8 << 20)
        #expect(other != nil && cj_memory().cached_bytes == 0)
        cj_free(other, 8 << 20)
        cj_memory_limit_set(0)
        #expect(cj_memory().limit_bytes == cj_memory_available())
      }
    }

    @Test func sizesOfOneClassShareBlocks() async {
      await #expect(processExitsWith: .success) {
        let block = try #require(cj_allocate(1000))
        cj_free(block, 1000)
        let other = try #require(cj_allocate(1024))
        #expect(other == block)
        cj_free(other, 1024)
      }
    }
  }
}
