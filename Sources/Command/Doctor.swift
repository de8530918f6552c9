import ArgumentParser
import Cajal
import CajalBase
import Foundation

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what this machine offers, what is missing, and how to get it.")

  func run() async throws {
    print("cajal \(CajalCommand.configuration.version)")
    print("cpu: \(Runtime.cpuDescription)")
    print("memory: \(ProcessInfo.processInfo.physicalMemory >> 20) MiB")
    print("devices: \(Device.all.map(\.name).joined(separator: ", "))")
    for library in OptionalLibrary.all {
      if let found = library.open() {
        print("\(library.name): found \(found.name)")
      } else {
        print("\(library.name): missing. Without it \(library.lostWithout). Install the package \(library.package).")
      }
    }
    do {
      let data = try MNIST.load()
      print("mnist: \(data.train.count) + \(data.test.count) examples")
    } catch {
      print("mnist: \(error)")
    }
    let (ones, sum) = (Tensor.ones([1000]), 1000)
    print("arithmetic: \(try ones.sum().item(as: Int.self) == sum ? "right" : "WRONG: please report this")")
  }
}
