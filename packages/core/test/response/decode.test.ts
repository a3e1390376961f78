import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'

const TEXT = 'oncekey '.repeat(100)
const MOST = 10_000

async function decodeText(coding: string, bytes: Uint8Array, most = MOST): Promise<unknown> {
  const { decode } = await import('../../src/response/decode.ts')
  const decoded = await decode(coding, bytes, most)
  return decoded instanceof Uint8Array ? new TextDecoder().decode(decoded) : decoded
}

const truncated = gzipSync(TEXT).subarray(0, 20)

describe('with node:zlib', () => {
  test.each([
    ['gzip', gzipSync(TEXT)],
    ['x-gzip', gzipSync(TEXT)],
    ['GZIP', gzipSync(TEXT)],
    ['gzip', Buffer.concat([gzipSync(TEXT.slice(0, 9)), gzipSync(TEXT.slice(9))])],
    ['deflate', deflateSync(TEXT)],
    ['deflate', deflateRawSync(TEXT)],
    ['br', brotliCompressSync(TEXT)],
  ])('%s is decoded', async (coding, bytes) => {
    expect(await decodeText(coding, bytes)).toBe(TEXT)
  })

  test.each([
    ['x-own', gzipSync(TEXT)],
    ['gzip, br', gzipSync(TEXT)],
    ['gzip', Buffer.from(TEXT)],
    ['gzip', truncated],
    ['gzip', Buffer.alloc(0)],
    ['br', Buffer.from(TEXT)],
    ['deflate', Buffer.from(TEXT)],
    ['constructor', gzipSync(TEXT)],
  ])('%s is not decoded from invalid bytes', async (coding, bytes) => {
    expect(await decodeText(coding, bytes)).toBeUndefined()
  })

  test.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000))],
    ['deflate', deflateRawSync(Buffer.alloc(50_000_000))],
    [
      'br',
      brotliCompressSync(Buffer.alloc(5_000_000), {
        params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
      }),
    ],
  ])('%s stops at the limit', async (coding, bomb) => {
    expect(await decodeText(coding, bomb)).toBe('too-large')
  })

  test('exactly the limit is allowed', async () => {
    expect(await decodeText('gzip', gzipSync(TEXT), TEXT.length)).toBe(TEXT)
    expect(await decodeText('gzip', gzipSync(TEXT), TEXT.length - 1)).toBe('too-large')
  })
})

describe('in a runtime without node:zlib', () => {
  afterEach(() => {
    vi.doUnmock('node:zlib')
    vi.resetModules()
  })

  test('codings that DecompressionStream knows are decoded within the limit, and no others', async () => {
    vi.resetModules()
    vi.doMock('node:zlib', () => {
      throw new Error('No such module "node:zlib".')
    })
    expect(await decodeText('gzip', gzipSync(TEXT))).toBe(TEXT)
    expect(await decodeText('deflate', deflateSync(TEXT))).toBe(TEXT)
    expect(await decodeText('deflate', deflateRawSync(TEXT))).toBe(TEXT)
    expect(await decodeText('br', brotliCompressSync(TEXT))).toBeUndefined()
    expect(await decodeText('gzip', Buffer.from(TEXT))).toBeUndefined()
    expect(await decodeText('gzip', gzipSync(Buffer.alloc(1_000_000)))).toBe('too-large')
  })
})
