import CajalBase
import CajalCKernels
import CajalIR
import Synchronization

/// Memory of the host, from the kernels' allocator.
public final class HostStorage: DeviceStorage, @unchecked Sendable {
  public let device: Device
  public let byteCount: Int
  public let pointer: UnsafeMutableRawPointer
  /// Counts this block; `nil` where the memory is somebody else's.
  private let meter: MemoryMeter?
  private let copies = Mutex(LaidOutCopies())

  /// Memory that its owner keeps valid for as long as this is used.
  init(borrowing pointer: UnsafeMutableRawPointer, byteCount: Int, device: Device) {
    self.pointer = pointer
    self.device = device
    self.byteCount = byteCount
    meter = nil
  }

  /// `nil` where there is no memory.
  init?(_ byteCount: Int, device: Device, meter: MemoryMeter) {
    guard let block = cj_allocate(Int64(max(byteCount, 1))) else { return nil }
    pointer = block
    self.device = device
    self.byteCount = byteCount
    self.meter = meter
    meter.add(byteCount)
  }

  deinit {
    guard let meter else { return }
    cj_free(pointer, Int64(max(byteCount, 1)))
    meter.add(-byteCount)
  }
}

/// Copies of one storage's elements, in the layouts that kernels read fastest.
private struct LaidOutCopies {
  /// The layout that was last asked for without there being a copy, and how often on end.
  var asked: PackedLayout?
  var requests = 0
  var copies: [PackedLayout: HostStorage] = [:]
}

/// Which elements of a storage, and in which order kernels read them.
struct PackedLayout: Hashable, Sendable {
  /// Numbers that tell one order from another.
  var order: [Int64]
  /// Bytes from the storage's first.
  var offset: Int
  var level: UInt32
}

extension HostStorage {
  /// The requests on end for one layout that make a copy. New weights at every step are not asked for that often, and
  /// the parts of a sequence not again and again.
  private static let requestsForCopy = 5
  /// Copies of one storage at most.
  private static let copyLimit = 4

  /// The elements in another layout, kept until these are written over; `nil` while it is not known to pay.
  ///
  /// - Parameter make: fills the copy, or has no memory for it.
  func copy(packedAs layout: PackedLayout, make: () -> HostStorage?) -> HostStorage? {
    let (known, isWorthMaking) = copies.withLock { copies -> (HostStorage?, Bool) in
      if let copy = copies.copies[layout] { return (copy, false) }
      copies.requests = copies.asked == layout ? copies.requests + 1 : 1
      copies.asked = layout
      return (nil, copies.requests >= Self.requestsForCopy && copies.copies.count < Self.copyLimit)
    }
    guard isWorthMaking, let made = make() else { return known }
    return copies.withLock { copies in
      // Another run may have been faster.
      if let first = copies.copies[layout] { return first }
      copies.copies[layout] = made
      return made
    }
  }

  /// For one that is about to be written over, by its only owner.
  func forgetCopies() {
    copies.withLock { $0 = LaidOutCopies() }
  }
}

/// Counts bytes in use.
final class MemoryMeter: Sendable {
  private let live = Atomic<Int>(0)
  private let peak = Atomic<Int>(0)

  func add(_ bytes: Int) {
    let now = live.wrappingAdd(bytes, ordering: .relaxed).newValue
    var highest = peak.load(ordering: .relaxed)
    while now > highest {
      let (exchanged, current) = peak.compareExchange(expected: highest, desired: now, ordering: .relaxed)
      if exchanged { return }
      highest = current
    }
  }

  var statistics: MemoryStatistics {
    MemoryStatistics(liveBytes: live.load(ordering: .relaxed), peakBytes: peak.load(ordering: .relaxed))
  }
}

/// What backends whose memory is the host's share.
protocol HostBackend: Backend {
  var meter: MemoryMeter { get }
}

extension HostBackend {
  public var memory: MemoryStatistics { meter.statistics }

  public func allocate(_ byteCount: Int) throws(TensorError) -> any DeviceStorage { try allocateHost(byteCount) }

  func allocateHost(_ byteCount: Int) throws(TensorError) -> HostStorage {
    guard let storage = HostStorage(byteCount, device: device, meter: meter) else {
      throw .outOfMemory(byteCount, on: device)
    }
    return storage
  }

  public func upload(_ bytes: UnsafeRawBufferPointer, to storage: any DeviceStorage) throws(TensorError) {
    if let source = bytes.baseAddress { try hostPointer(storage).copyMemory(from: source, byteCount: bytes.count) }
  }

  public func download(_ stored: StoredValue, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
    let source = try hostPointer(stored.storage) + stored.offset
    bytes.baseAddress?.copyMemory(from: source, byteCount: bytes.count)
  }

  func hostPointer(_ storage: any DeviceStorage) throws(TensorError) -> UnsafeMutableRawPointer {
    guard let host = storage as? HostStorage, host.device == device else {
      throw TensorError(
        .device, operation: "read", "memory of \(storage.device) was given to \(device)",
        remedy: "Move tensors between devices with `.to(_:)`")
    }
    return host.pointer
  }
}
