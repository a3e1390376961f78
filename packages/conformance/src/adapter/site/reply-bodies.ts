import assert from 'node:assert/strict'
import type { Reply } from './adapter-fixture.ts'
import type { Answer } from './http-client.ts'

/** A reply and the bytes that it must produce. */
export interface BodyCase {
  readonly what: string
  readonly bytes: Buffer
  /** Created anew for every run, because a stream can be read only once. */
  reply(): Reply
}

/** Every kind of body, and the statuses that have none. */
export function bodies(): readonly BodyCase[] {
  return [
    json('JSON', { id: 1, name: 'Zoë 🧾' }),
    json('JSON of a string', 'text'),
    json('JSON of a list', [1, null, 'a']),
    text('text', 'höll'),
    text('an empty text', ''),
    bytes('bytes that are no text', Buffer.from([0x25, 0xff, 0x00, 0xfe, 0xc3, 0x28])),
    bytes('every byte', Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte))),
    bytes('no bytes', Buffer.alloc(0)),
    bytes('300 KB', Buffer.from(Uint8Array.from({ length: 300_000 }, (_, n) => (n * 31) % 256))),
    stream('a stream', ['a', 'bc', 'd']),
    stream('a stream of nothing', []),
    stream(
      'a stream of 200 pieces',
      Array.from({ length: 200 }, (_, n) => `${n},`),
    ),
    {
      what: 'a stream that uses one buffer for all of its pieces',
      bytes: Buffer.from('111222333'),
      reply: () => ({ body: { kind: 'stream', chunks: inOneBuffer(['111', '222', '333']) } }),
    },
    { what: 'no body', bytes: Buffer.alloc(0), reply: () => ({ body: { kind: 'none' } }) },
    { what: '204', bytes: Buffer.alloc(0), reply: () => ({ status: 204, body: { kind: 'none' } }) },
    {
      what: 'a redirect',
      bytes: Buffer.alloc(0),
      reply: () => ({ status: 303, headers: [['location', '/1']], body: { kind: 'none' } }),
    },
    { ...json('a refusal', { error: 'no' }), reply: () => refusal },
  ]
}

const refusal: Reply = { status: 422, body: { kind: 'json', value: { error: 'no' } } }

/** Fails the test unless the body has these bytes and a correct length, if any. */
export function expectBody(answer: Answer, bytes: Buffer): void {
  assert.ok(
    answer.bytes.equals(bytes),
    `${answer.bytes.length} bytes ${shown(answer.bytes)}, expected ${bytes.length} bytes ${shown(bytes)}`,
  )
  const length = answer.header('content-length')
  if (length !== undefined) assert.equal(length, String(bytes.length), 'content-length')
}

function json(what: string, value: unknown): BodyCase {
  const bytes = Buffer.from(JSON.stringify(value))
  return { what, bytes, reply: () => ({ body: { kind: 'json', value } }) }
}

function text(what: string, text: string): BodyCase {
  return { what, bytes: Buffer.from(text), reply: () => ({ body: { kind: 'text', text } }) }
}

function bytes(what: string, bytes: Buffer): BodyCase {
  return { what, bytes, reply: () => ({ body: { kind: 'bytes', bytes } }) }
}

function stream(what: string, pieces: readonly string[]): BodyCase {
  return {
    what,
    bytes: Buffer.from(pieces.join('')),
    reply: () => ({ body: { kind: 'stream', chunks: chunksOf(pieces) } }),
  }
}

/** Yields each piece in its own tick. */
export async function* chunksOf(pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    await new Promise((resolve) => setImmediate(resolve))
    yield Buffer.from(piece)
  }
}

/** Yields pieces of equal length from one buffer, which the next piece overwrites. */
async function* inOneBuffer(pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(3)
  for await (const piece of chunksOf(pieces)) {
    buffer.set(piece)
    yield buffer
  }
}

function shown(bytes: Buffer): string {
  return bytes.subarray(0, 16).toString('hex')
}
