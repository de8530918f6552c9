/// Colour pictures of 32×32 in a hundred classes (Krizhevsky 2009).
public enum CIFAR100 {
  public static let labels = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest",
    "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard",
    "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum",
    "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper",
    "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
  ]

  /// Reads files of the binary version, such as `train.bin`, one after the other; gzip or not. Of the two labels, the
  /// coarse one is left out.
  ///
  /// **Shapes**: inputs `[N, 32, 32, 3]`, uint8.
  ///
  /// **Errors**: those of ``CIFAR10/read(_:)``.
  public static func read(_ paths: [String]) throws -> LabeledData { try format.read(paths) }

  /// Reads the archive of the binary version.
  static func read(archive path: String) throws -> ImageDataset {
    try format.read(archive: path, name: "cifar100", train: ["train.bin"], test: "test.bin", labels: labels)
  }

  private static let format = CIFARFormat(labelBytes: 2, classes: 100)
}
