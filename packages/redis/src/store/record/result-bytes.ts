import { isUtf8 } from 'node:buffer'
import type { StoredResponse } from '@oncekey/core'

/**
 * A response is kept as one string of bytes: four bytes with the length of its head, the head as
 * JSON, and the body unchanged. Scripts never parse it, because Lua's JSON library would change the
 * bytes of a body, and large numbers. This file makes the head and the body; the script joins them.
 */
export function headText({ status, headers, seal }: Head): string {
  return JSON.stringify({ status, headers, seal } satisfies Head)
}

/**
 * The body as an argument: a string if it is UTF-8, so that the whole command becomes one string.
 * With a Buffer among its arguments, ioredis copies each argument separately.
 */
export function bodyArgument(body: Uint8Array): string | Buffer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return isUtf8(bytes) ? bytes.toString() : bytes
}

/** Parses a stored response. Throws if the bytes are not a stored response. */
export function responseIn(result: Buffer): StoredResponse {
  const bodyAt = LENGTH_BYTES + result.readUInt32BE()
  const head: Head = JSON.parse(result.toString('utf8', LENGTH_BYTES, bodyAt))
  return { ...head, body: new Uint8Array(result.subarray(bodyAt)) }
}

type Head = Omit<StoredResponse, 'body'>

const LENGTH_BYTES = 4
