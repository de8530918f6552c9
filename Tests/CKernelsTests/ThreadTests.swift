import CajalCKernels
import Foundation
import Testing

extension CKernels {
  @Suite struct Threads {
    // NSLock rather than Mutex: the thread sanitizer knows it.
    final class Visits: @unchecked Sendable {
      private let lock = NSLock()
      private var counts: [Int]
      init(_ count: Int) { counts = [Int](repeating: 0, count: count) }
      func visit(_ index: Int) { lock.withLock { counts[index] += 1 } }
      var all: [Int] { lock.withLock { counts } }
    }

    func run(_ count: Int, _ visits: Visits) {
      cj_parallel(
        Int64(count),
        { context, index in
          Unmanaged<Visits>.fromOpaque(context!).takeUnretainedValue().visit(Int(index))
        }, Unmanaged.passUnretained(visits).toOpaque())
    }

    @Test func everyIndexIsVisitedOnce() {
      defer { cj_threads_set(cj_threads_available()) }
      for threads in [1, 2, 4, 7] as [Int32] {
        cj_threads_set(threads)
        #expect(cj_threads() == threads)
        for count in [0, 1, 2, 3, 100, 1000] {
          let visits = Visits(count)
          run(count, visits)
          #expect(visits.all == [Int](repeating: 1, count: count))
        }
      }
    }

    @Test func manyShortJobsInARowAllFinish() {
      defer { cj_threads_set(cj_threads_available()) }
      cj_threads_set(4)
      for _ in 0..<2000 {
        let visits = Visits(5)
        run(5, visits)
        #expect(visits.all == [1, 1, 1, 1, 1])
      }
    }

    @Test func threadsMayChangeBetweenJobs() {
      defer { cj_threads_set(cj_threads_available()) }
      for round in 0..<300 {
        cj_threads_set([4, 2, 7, 1, 3][round % 5])
        let visits = Visits(6)
        run(6, visits)
        #expect(visits.all == [Int](repeating: 1, count: 6))
      }
    }

    @Test func callsFromInsideATaskRunSerially() {
      defer { cj_threads_set(cj_threads_available()) }
      cj_threads_set(3)
      let visits = Visits(10)
      cj_parallel(
        4,
        { context, _ in
          cj_parallel(
            10,
            { inner, index in
              Unmanaged<Visits>.fromOpaque(inner!).takeUnretainedValue().visit(Int(index))
            }, context)
        }, Unmanaged.passUnretained(visits).toOpaque())
      #expect(visits.all == [Int](repeating: 4, count: 10))
    }

    @Test func concurrentCallersBothFinish() async {
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<200 {
              let visits = Visits(20)
              CKernels.Threads().run(20, visits)
              if visits.all != [Int](repeating: 1, count: 20) { return false }
            }
            return true
          }
        }
        for await fine in group { #expect(fine) }
      }
    }

    @Test func availableThreadsArePositive() {
      #expect(cj_threads_available() >= 1)
      cj_threads_set(0)
      #expect(cj_threads() == 1)
      cj_threads_set(cj_threads_available())
    }
  }
}
