// swift-tools-version: 6.2
import PackageDescription

// `./compare` builds and runs this.
let package = Package(
  name: "cajal-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "cajal", path: "..")],
  targets: [
    .target(name: "Peaks", cSettings: [.unsafeFlags(["-O3"])]),
    .executableTarget(
      name: "cajal-benchmarks", dependencies: ["Peaks", .product(name: "Cajal", package: "cajal")],
      path: "Sources/Worker"),
  ],
  swiftLanguageModes: [.v6]
)
