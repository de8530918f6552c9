import CajalFormats
import Foundation

/// Handwritten digits: 60,000 pictures of 28×28 to train on and 10,000 to test with (LeCun, Cortes and
/// Burges). They come with the package.
public enum MNIST {
  public static func load() throws -> ImageDataset {
    for folder in candidates where FileManager.default.fileExists(atPath: folder) {
      let data = try ImageDataset.idx(folder: folder)
      return ImageDataset(name: "mnist", train: data.train, test: data.test)
    }
    throw FormatError(
      path: candidates[0], problem: "the MNIST files that come with the package are not there",
      remedy: "Run from a build of the package, or name their folder with --dataset or in CAJAL_MNIST")
  }

  private static var candidates: [String] {
    let named = ProcessInfo.processInfo.environment["CAJAL_MNIST"]
    return (named.map { [$0] } ?? []) + Resources.candidates("mnist")
  }
}
