// swift-tools-version: 6.2
import PackageDescription

// The order of the targets is the way of the data (ARCHITECTURE.md). A target
// imports only what stands above it; `./check` builds with
// `--explicit-target-dependency-import-check error`.

let kernelSettings: [CSetting] = [
  // Debug builds compile C at -O0 otherwise, and every test would crawl.
  .unsafeFlags(["-O3"]),
  // A product and a sum are rounded one by one unless a kernel says otherwise
  // (Documentation/decisions/0002-multiply-add.md).
  .unsafeFlags(["-ffp-contract=off", "-fno-math-errno"]),
]

let package = Package(
  name: "cajal",
  platforms: [.macOS(.v15), .iOS(.v18)],
  products: [
    .library(name: "Cajal", targets: ["Cajal"]),
    .executable(name: "cajal", targets: ["CajalCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "CajalCKernels", path: "Sources/CKernels", cSettings: kernelSettings),
    .target(name: "CajalBase", path: "Sources/Base"),
    .target(name: "CajalIR", dependencies: ["CajalCKernels", "CajalBase"], path: "Sources/IR"),
    .target(name: "CajalOperations", dependencies: ["CajalBase", "CajalIR"], path: "Sources/Operations"),
    .target(
      name: "CajalAutodiff", dependencies: ["CajalBase", "CajalIR", "CajalOperations"], path: "Sources/Autodiff"),
    .target(
      name: "CajalCompiler", dependencies: ["CajalBase", "CajalIR", "CajalOperations"], path: "Sources/Compiler"),
    .target(
      name: "CajalBackends",
      dependencies: ["CajalCKernels", "CajalBase", "CajalIR", "CajalOperations", "CajalCompiler"],
      path: "Sources/Backends"),
    .target(
      name: "CajalEngine",
      dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalCompiler", "CajalBackends"],
      path: "Sources/Engine"),
    .target(
      name: "CajalTensor",
      dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalAutodiff", "CajalEngine"],
      path: "Sources/Tensor"),
    .target(name: "CajalFormats", dependencies: ["CajalBase"], path: "Sources/Formats"),
    .target(
      name: "CajalNN",
      dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalEngine", "CajalTensor", "CajalFormats"],
      path: "Sources/NN"),
    .target(
      name: "CajalModels", dependencies: ["CajalBase", "CajalOperations", "CajalTensor", "CajalNN"],
      path: "Sources/Models"),
    .target(
      name: "CajalOptimizers",
      dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalEngine", "CajalTensor", "CajalNN"],
      path: "Sources/Optimizers"),
    .target(
      name: "CajalData", dependencies: ["CajalBase", "CajalIR", "CajalTensor", "CajalFormats"], path: "Sources/Data",
      resources: [.copy("Resources/mnist"), .copy("Resources/toy")]),
    .target(name: "CajalPlot", dependencies: ["CajalFormats"], path: "Sources/Plot"),
    .target(
      name: "CajalLosses", dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalTensor"],
      path: "Sources/Losses"),
    .target(name: "CajalMetrics", dependencies: ["CajalBase", "CajalTensor"], path: "Sources/Metrics"),
    .target(
      name: "CajalTraining",
      dependencies: [
        "CajalBase", "CajalIR", "CajalEngine", "CajalTensor", "CajalFormats", "CajalNN", "CajalOptimizers",
        "CajalLosses", "CajalMetrics", "CajalData", "CajalPlot",
      ],
      path: "Sources/Training"),
    .target(
      name: "CajalVision", dependencies: ["CajalBase", "CajalTensor", "CajalFormats", "CajalData"],
      path: "Sources/Vision"),
    .target(
      name: "Cajal",
      dependencies: [
        "CajalBase", "CajalIR", "CajalOperations", "CajalEngine", "CajalTensor", "CajalNN", "CajalModels",
        "CajalOptimizers", "CajalLosses", "CajalMetrics", "CajalData", "CajalPlot", "CajalTraining", "CajalFormats",
        "CajalVision",
      ],
      path: "Sources/Umbrella"),
    .executableTarget(
      name: "CajalCommand",
      dependencies: [
        "Cajal", "CajalBase", "CajalFormats",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Command"),
    .target(name: "CajalMallocCount", path: "Tests/AllocationChecks/Count"),
    .executableTarget(
      name: "AllocationChecks", dependencies: ["Cajal", "CajalMallocCount"], path: "Tests/AllocationChecks/Program"),
    .executableTarget(name: "StreamingChecks", dependencies: ["Cajal"], path: "Tests/StreamingChecks"),
    .testTarget(name: "CKernelsTests", dependencies: ["CajalCKernels"], path: "Tests/CKernelsTests"),
    .testTarget(
      name: "FormatsTests", dependencies: ["CajalBase", "CajalFormats"], path: "Tests/FormatsTests",
      exclude: ["PyTorch"]),
    .testTarget(
      name: "CompilerTests",
      dependencies: ["CajalBase", "CajalIR", "CajalOperations", "CajalCompiler"], path: "Tests/CompilerTests"),
    .testTarget(
      name: "ConformanceTests",
      dependencies: [
        "CajalBase", "CajalIR", "CajalOperations", "CajalAutodiff", "CajalCompiler", "CajalBackends", "CajalTensor",
        "CajalFormats", "CajalNN", "CajalLosses",
      ],
      path: "Tests/ConformanceTests"),
    .testTarget(
      name: "EngineTests",
      dependencies: [
        "CajalBase", "CajalIR", "CajalBackends", "CajalEngine", "CajalTensor", "CajalNN", "CajalOptimizers",
        "CajalLosses", "CajalData",
      ],
      path: "Tests/EngineTests"),
    .testTarget(
      name: "TensorTests",
      dependencies: ["Cajal", "CajalBase", "CajalIR", "CajalOperations"],
      path: "Tests/TensorTests"),
    .testTarget(
      name: "LearningTests", dependencies: ["Cajal", "CajalData", "CajalFormats"], path: "Tests/LearningTests",
      exclude: ["Golden", "TensorBoard"]),
    .testTarget(
      name: "VisionTests", dependencies: ["CajalBase", "CajalTensor", "CajalFormats", "CajalData", "CajalVision"],
      path: "Tests/VisionTests", exclude: ["Golden"]),
    .testTarget(
      name: "CommandTests", dependencies: ["CajalBase", "CajalCommand", "CajalVision"], path: "Tests/CommandTests"),
  ],
  swiftLanguageModes: [.v6]
)

// Each a folder with one file, in the order in which they teach.
let examples = [
  "Neuron", "XOR", "Approximation", "Outputs", "Optimizers", "DepthWidth", "Digits", "CustomLayer", "CustomStep",
  "CustomCallback",
]
package.targets += examples.map { .executableTarget(name: $0, dependencies: ["Cajal"], path: "Examples/\($0)") }
