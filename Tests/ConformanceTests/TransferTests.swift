import CajalBase
import CajalIR
import CajalOperations
import CajalTensor
import Testing

/// Samples that cross devices, which the engine carries out.
@Suite struct TransferTests {
  private static let samples = Samples.all.filter(\.needsEngine)

  private func upload(_ numbers: HostTensor, to device: Device) -> Tensor {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, numbers.type.byteCount), alignment: 8)
    defer { bytes.deallocate() }
    let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<numbers.type.byteCount])
    numbers.copyBytes(to: used)
    return withDevice(device) {
      Tensor(bytes: UnsafeRawBufferPointer(used), shape: numbers.shape, dtype: numbers.dtype)
    }
  }

  @Test(arguments: samples.indices)
  func transfersChangeTheDeviceAndNothingElse(_ index: Int) throws {
    let sample = TransferTests.samples[index]
    let numbers = sample.inputs()
    // Without the transfers it is a graph for the reference alone.
    let expected = try Recorded.withoutTransfers(sample)
    let results = try Machine.reference.run(expected, numbers)
    let tensors = numbers.map { upload($0, to: .cpu) }
    let found = withExtendedLifetime(tensors) { sample.record(tensors.map(\.value)).map { Tensor($0) } }
    for (tensor, result) in zip(found, results) {
      #expect(try tensor.scalars(Double.self) == result.floats)
    }
  }

  @Test func aTransferredTensorLivesWhereItWasSent() throws {
    let x = withDevice(.cpu) { Tensor([1, 2, 3] as [Float]) }
    for device in Device.all {
      let y = x.to(device)
      #expect(y.device == device)
      #expect((y * 2).device == device)
      #expect(try (y * 2).scalars(Float.self) == [2, 4, 6])
    }
  }

  @Test func tensorsOfDifferentDevicesDoNotMeet() {
    let x = withDevice(.cpu) { Tensor([1, 2, 3] as [Float]) }
    #expect((x + x.to(.reference)).error?.kind == .device)
  }

  @Test func gradientsComeBackToTheOperandsDevice() throws {
    let x = withDevice(.cpu) { Tensor([1, 2, 3] as [Double]) }
    let gradient = gradient(at: x) {
      ($0.to(.reference) * $0.to(.fake).to(.reference) * $0.to(.reference)).sum().to(.cpu)
    }
    #expect(gradient.device == .cpu)
    #expect(try gradient.scalars(Double.self) == [3, 12, 27])
  }
}

extension Recorded {
  /// The sample's graph with aliases where it crosses devices.
  fileprivate static func withoutTransfers(_ sample: Sample) throws -> Recorded {
    var recorded = try sample.graph()
    recorded.replaceTransfers()
    return recorded
  }
}
