import Cajal
import Testing

@Suite struct ReadingTests {
  @Test func itemsAreReadAsAnySwiftNumber() throws {
    let x = Tensor([300.75])
    #expect(try x.item() == 300.75)
    #expect(try x.item(as: Double.self) == 300.75)
    #expect(try x.item(as: Int.self) == 300)
    #expect(try x.item(as: UInt8.self) == 255)
    #expect(try x.item(as: Int8.self) == 127)
    #expect(try x.item(as: Bool.self))
    #expect(Float(try x.item(as: BFloat16.self)) == 300)
    #expect(try Tensor([Int.max]).item(as: Int.self) == .max)
  }

  @Test func valuesAreAwaited() async throws {
    let x = Tensor([1.0, 2.0]).sum()
    #expect(try await x.value() == 3)
    #expect(try await x.value(as: Int.self) == 3)
  }

  @Test func readingTwiceComputesOnce() throws {
    let x = Tensor.arange(10, dtype: .float32).exp().sum()
    let meter = EngineMeter()
    try meter.measure {
      let (first, second) = (try x.item(), try x.item())
      #expect(first == second)
    }
    #expect(meter.counters.plansRun == 1)
  }

  @Test func evalComputesSeveralTensorsAsOnePlan() throws {
    let x = Tensor([1.0, 2.0])
    let (a, b) = (x + 1, x * 3)
    let meter = EngineMeter()
    try meter.measure { try eval(a, b) }
    #expect(meter.counters.plansRun == 1)
    expect(a, [2, 3], [2])
    expect(b, [3, 6], [2])
  }

  @Test func bytesOfViewsAreRowMajor() throws {
    let x = Tensor([[1, 2], [3, 4]] as [[Int]], dtype: .uint8)
    #expect(try x.T.bytes() == [1, 3, 2, 4])
    #expect(try x[.all, 1].bytes() == [2, 4])
    #expect(try x.flipped(0).evaluated().bytes() == [3, 4, 1, 2])
    #expect(try Tensor([9], dtype: .uint8).broadcast(to: [3]).bytes() == [9, 9, 9])
  }

  @Test(arguments: Device.all) func everyDeviceReadsTheSame(_ device: Device) throws {
    let x = withDevice(device) { Tensor([[1.0, 2.0], [3.0, 4.0]]) }
    #expect(x.device == device)
    expect(x.matmul(x) + 1, [8, 11, 16, 23], [2, 2], .float32)
  }
}
