import type { InputType, ZlibOptions } from 'node:zlib'
import { canonicalCoding } from './accept-encoding.ts'

/** The decoded bytes; `too-large` where there are more than the limit. */
export type Decoded = Uint8Array | 'too-large' | undefined

/**
 * Decodes a content coding, up to `maxBytes` of output, so that no body can fill the memory.
 * `undefined` for what cannot be decoded: an unknown coding, a list of codings, an empty or damaged
 * body.
 */
export async function decode(
  coding: string,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Decoded> {
  if (bytes.length === 0) return undefined
  const name = canonicalCoding(coding)
  const decoders = (await zlibDecoders()) ?? webDecoders()
  for (const decoder of decoders.get(name) ?? []) {
    const decoded = await decoder(bytes, maxBytes)
    if (decoded !== undefined) return decoded
  }
  return undefined
}

type Decoder = (bytes: Uint8Array, maxBytes: number) => Promise<Decoded>
type Decoders = ReadonlyMap<string, readonly Decoder[]>

let loading: Promise<Decoders | undefined> | undefined

/** Loaded on first use: a fetch runtime may lack it and has `DecompressionStream` instead. */
function zlibDecoders(): Promise<Decoders | undefined> {
  loading ??= import('node:zlib').then(
    (zlib) => {
      const decoders = new Map([
        ['gzip', [ofZlib(zlib.gunzip)]],
        // "deflate" is the zlib format, but some servers send raw deflate, which clients accept
        // too.
        ['deflate', [ofZlib(zlib.inflate), ofZlib(zlib.inflateRaw)]],
        ['br', [ofZlib(zlib.brotliDecompress)]],
      ])
      // Available from Node 22.15 on.
      if ('zstdDecompress' in zlib)
        decoders.set('zstd', [ofZlib(zlib.zstdDecompress as Decompress)])
      return decoders
    },
    () => undefined,
  )
  return loading
}

type Decompress = (
  bytes: InputType,
  options: ZlibOptions,
  done: (error: Error | null, decoded: Buffer) => void,
) => void

function ofZlib(decompress: Decompress): Decoder {
  return (bytes, maxBytes) =>
    new Promise((resolve) => {
      decompress(bytes, { maxOutputLength: maxBytes }, (error, decoded) => {
        if (error === null) resolve(decoded)
        else resolve('code' in error && error.code === TOO_LARGE ? 'too-large' : undefined)
      })
    })
}

const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE'

function webDecoders(): Decoders {
  if (typeof DecompressionStream !== 'function') return new Map()
  return new Map([
    ['gzip', [ofStream('gzip')]],
    ['deflate', [ofStream('deflate'), ofStream('deflate-raw')]],
  ])
}

function ofStream(format: ConstructorParameters<typeof DecompressionStream>[0]): Decoder {
  return async (bytes, maxBytes) => {
    const plain = new Blob([new Uint8Array(bytes)]).stream()
    const reader = plain.pipeThrough(new DecompressionStream(format)).getReader()
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return joined(chunks, size)
        chunks.push(value)
        size += value.length
        if (size <= maxBytes) continue
        await reader.cancel()
        return 'too-large'
      }
    } catch {
      return undefined
    }
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
