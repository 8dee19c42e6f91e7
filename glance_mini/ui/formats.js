// Guesses the format of a disk image from its content. The service inspects it again.

const TEXT = [
  [0, "QFI\xfb", "qcow2"], [0, "KDMV", "vmdk"], [0, "# Disk DescriptorFile", "vmdk"], [0, "vhdxfile", "vhdx"],
  [0, "conectix", "vhd"], [64, "\x7f\x10\xda\xbe", "vdi"], [32769, "CD001", "iso"], [0, "WithoutFreeSpace", "ploop"], [0, "WithouFreSpacExt", "ploop"],
];

async function text(file, begin, length) {
  const bytes = new Uint8Array(await file.slice(begin, begin + length).arrayBuffer());
  return String.fromCharCode(...bytes);
}

// Return `disk_format` and `container_format`; `raw` and `bare` for what has no sign of its own.
export async function formatOf(file) {
  const [head, sector, tail] = await Promise.all([text(file, 0, 512), text(file, 32768, 512), text(file, Math.max(0, file.size - 512), 512)]);
  if (head.slice(257, 262) === "ustar" && /^[^\0]*\.ovf\0/.test(head)) return { disk_format: "vmdk", container_format: "ova" };
  for (const [place, sign, format] of TEXT) {
    const found = place < 512 ? head.startsWith(sign, place) : sector.startsWith(sign, place - 32768);
    if (found) return { disk_format: format, container_format: "bare" };
  }
  return { disk_format: tail.startsWith("conectix") ? "vhd" : "raw", container_format: "bare" };
}
