import type { StoredResponse } from '@oncekey/core'

/**
 * A response as one string of bytes: the length of its head, the head as JSON, the body as it is.
 * `null` where there is no body to keep. Redis never looks inside: Lua's own JSON library would make
 * other bytes of a body, and other numbers of large ones.
 */
export function resultBytes({ status, headers, body, seal }: StoredResponse): Buffer | null {
  if (body === null) return null
  const head = Buffer.from(JSON.stringify({ status, headers, seal } satisfies Head))
  const result = Buffer.allocUnsafe(LENGTH_BYTES + head.length + body.length)
  result.writeUInt32BE(head.length)
  result.set(head, LENGTH_BYTES)
  result.set(body, LENGTH_BYTES + head.length)
  return result
}

/** The response again. Throws on bytes that are no result. */
export function responseIn(result: Buffer): StoredResponse {
  const bodyAt = LENGTH_BYTES + result.readUInt32BE()
  const head: Head = JSON.parse(result.toString('utf8', LENGTH_BYTES, bodyAt))
  return { ...head, body: new Uint8Array(result.subarray(bodyAt)) }
}

type Head = Omit<StoredResponse, 'body'>

const LENGTH_BYTES = 4
