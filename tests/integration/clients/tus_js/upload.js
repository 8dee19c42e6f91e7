// Uploads FILE to ENDPOINT with tus-js-client: upload.js ENDPOINT TOKEN FILE PARTS [CHUNK]; prints what it did.
const fs = require("fs");
const tus = require("tus-js-client");

const [endpoint, token, path, parts, chunk] = process.argv.slice(2);

const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint,
  headers: { "X-Auth-Token": token },
  chunkSize: chunk ? Number(chunk) : Infinity,
  parallelUploads: Number(parts),
  retryDelays: Array(60).fill(500),
  metadata: { filename: "disk" },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onProgress: (sent, total) => console.log(`sent ${sent} of ${total}`),
  onSuccess: () => console.log("success"),
});
upload.start();
