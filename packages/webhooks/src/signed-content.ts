/** What is signed: `id.timestamp.body`, the body to the byte (Standard Webhooks, "Signature scheme"). */
export function signedContent(
  id: string,
  timestampSeconds: number | string,
  body: string | Uint8Array,
): Buffer {
  return Buffer.concat([
    Buffer.from(`${id}.${timestampSeconds}.`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ])
}
