// swift-tools-version: 6.2
import PackageDescription

// `./compare` builds and runs this.
let package = Package(
  name: "cajal-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "cajal", path: "..")],
  targets: [
    .executableTarget(
      name: "cajal-benchmarks", dependencies: [.product(name: "Cajal", package: "cajal")], path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
