import { isUtf8 } from 'node:buffer'
import type { StoredResponse } from '@oncekey/core'

/**
 * A response is kept as one string of bytes: the length of its head in four, the head as JSON, the body
 * as it is. Redis never looks inside: Lua's own JSON library would make other bytes of a body, and
 * other numbers of large ones. Here are the head and the body; the script puts them together.
 */
export function headText({ status, headers, seal }: Head): string {
  return JSON.stringify({ status, headers, seal } satisfies Head)
}

/**
 * The body as the client sends it: text where it is text, which makes one string of the whole command;
 * a Buffer among its arguments has every one of them copied by itself.
 */
export function bodyArgument(body: Uint8Array): string | Buffer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return isUtf8(bytes) ? bytes.toString() : bytes
}

/** The response again. Throws on bytes that are no result. */
export function responseIn(result: Buffer): StoredResponse {
  const bodyAt = LENGTH_BYTES + result.readUInt32BE()
  const head: Head = JSON.parse(result.toString('utf8', LENGTH_BYTES, bodyAt))
  return { ...head, body: new Uint8Array(result.subarray(bodyAt)) }
}

type Head = Omit<StoredResponse, 'body'>

const LENGTH_BYTES = 4
