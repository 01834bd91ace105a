// From whatever the shopper hands over to a photo worth sending: never more than 1024 pixels a side.

import { AskError } from "./api.js";

export const LONGEST_SIDE = 1024;
const MAX_UPLOAD_BYTES = 10_000_000;
const MAX_DECODED_BYTES = 100_000_000; // a phone's largest photo is a third of that; decoding more could kill the tab
const SENT_AS_THEY_ARE = new Set(["image/jpeg", "image/png", "image/webp", "image/gif"]);
const SMALL_ENOUGH_BYTES = 1_000_000;

/** The pictures among dropped or pasted things, or what there is instead. Throws `AskError` when there is no file. */
export function filesOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  if (!files.length) throw new AskError("no_file");
  const pictures = files.filter((each) => each.type.startsWith("image/"));
  return pictures.length ? pictures : files.slice(0, 1);
}

/**
 * The photo to send: small ones as they are, others scaled down by the browser, upright and without metadata
 * (a place where a photo was taken is nobody's business). Throws `AskError`.
 */
export async function prepared(file) {
  if (file.size === 0) throw new AskError("image_empty");
  if (file.size > MAX_DECODED_BYTES) throw new AskError("too_large");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return unreadable(file);
  }
  try {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    if (scale === 1 && file.size <= SMALL_ENOUGH_BYTES && SENT_AS_THEY_ARE.has(file.type)) return file;
    return await drawn(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  } finally {
    bitmap.close();
  }
}

/** What this browser cannot read the server may (it knows more kinds of JPEG); other files are not even sent. */
function unreadable(file) {
  if (!file.type.startsWith("image/")) throw new AskError("not_an_image");
  if (file.size > MAX_UPLOAD_BYTES) throw new AskError("too_large");
  return file;
}

function drawn(bitmap, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff"; // what is transparent stands on white, as in the catalogue
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new AskError("image_broken"))), "image/jpeg", 0.92);
  });
}
